"""Keys of the store."""

from __future__ import annotations

import pytest

from flytemp.errors import InvalidName
from flytemp.layout import RootLayout, inverted, inverted_number
from flytemp.names import attempt_key, attempt_of

LAYOUT = RootLayout("executions/default/run/r1")
EPOCH = "9f3a2c01"


def test_keys_of_an_execution_without_reset_are_plain_numbers() -> None:
    attempt = attempt_key(2)
    assert LAYOUT.result("n0.n1", attempt) == f"{LAYOUT.root}/nodes/n0.n1/2/result.json"
    assert LAYOUT.claim("n0", attempt, 3) == f"{LAYOUT.root}/nodes/n0/2/3/claim.json"


def test_keys_of_an_attempt_differ_after_a_reset() -> None:
    before, after = attempt_key(1), attempt_key(1, EPOCH)
    for key in (LAYOUT.attempt, LAYOUT.result, LAYOUT.child_inputs):
        assert key("n0", before) != key("n0", after)
    assert LAYOUT.claim("n0", before, 1) != LAYOUT.claim("n0", after, 1)
    assert LAYOUT.chunk_items(f"n0/{before}/0") != LAYOUT.chunk_items(f"n0/{after}/0")
    assert LAYOUT.result_of_ref(f"n0/{after}") == LAYOUT.result("n0", after)


def test_number_of_an_attempt_is_read_from_its_key() -> None:
    assert attempt_of(attempt_key(12)) == attempt_of(attempt_key(12, EPOCH)) == 12


@pytest.mark.parametrize("key", ["", "a", "1-", "1-9F3A2C01", "1/2", "../1", "1-9f3a2c01-2"])
def test_other_text_is_not_an_attempts_key(key: str) -> None:
    with pytest.raises(InvalidName):
        LAYOUT.attempt("n0", key)


def test_inverted_numbers_sort_the_largest_first() -> None:
    numbers = [1, 2, 9, 10, 11, 10**9]
    assert sorted(map(inverted, numbers)) == [inverted(number) for number in reversed(numbers)]
    assert [inverted_number(inverted(number)) for number in numbers] == numbers
