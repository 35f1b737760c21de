"""Errors on their way into a history."""

from __future__ import annotations

import pytest
from temporalio.exceptions import ApplicationError

from flytemp.errors import CorruptData, FlytempBug, FlytempError, InputError, NotFound, StoreError, TemporalUnavailable
from flytemp_activities.application_errors import MESSAGE_BYTES, application_error, bounded, control_activity


@pytest.mark.parametrize(
    ("error", "permanent", "kind"),
    [
        (InputError("x"), True, "USER"),
        (NotFound("x"), True, "USER"),
        (StoreError("x"), False, "SYSTEM"),
        (TemporalUnavailable("x"), False, "SYSTEM"),
        (CorruptData("x"), True, "SYSTEM"),
        (FlytempBug("x"), True, "SYSTEM"),
    ],
)
def test_who_must_act_decides_whether_it_is_tried_again(error: FlytempError, permanent: bool, kind: str) -> None:
    made = application_error(error)
    assert (made.non_retryable, made.details[0]["kind"], made.type) == (permanent, kind, error.code)


async def test_the_hint_travels() -> None:
    @control_activity
    async def refuses() -> None:
        raise InputError("wrong", hint="do it right")

    with pytest.raises(ApplicationError, match=r"wrong \(do it right\)"):
        await refuses()


async def test_what_is_no_error_of_ours_stays_what_it_is() -> None:
    @control_activity
    async def breaks() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        await breaks()


@pytest.mark.parametrize("text", ["", "short", "ä" * 1_000, "x" * MESSAGE_BYTES])
def test_a_short_text_is_itself(text: str) -> None:
    assert bounded(text) == text


@pytest.mark.parametrize("text", ["x" * 5_000_000, "🙂" * 100_000, "ä" * 1_001])
def test_a_giant_text_is_cut_within_the_bound_and_says_so(text: str) -> None:
    cut = bounded(text)
    assert len(cut.encode()) <= MESSAGE_BYTES
    assert cut.endswith(f"({len(text)} characters)")
    assert cut.startswith(text[:400])


def test_what_is_no_unicode_does_not_break_the_history() -> None:
    assert bounded("a\udcffb").encode() == b"a\\udcffb"
