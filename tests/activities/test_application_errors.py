"""Tests of the errors that activities report to Temporal."""

from __future__ import annotations

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from flytemp.errors import CorruptData, FlytempBug, FlytempError, InputError, NotFound, StoreError, TemporalUnavailable
from flytemp.protocol.activities import SHORT_TIMER, ShortTimerArgument
from flytemp_activities.application_errors import MESSAGE_BYTES, application_error, bounded
from flytemp_activities.definitions import control_activity


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
def test_error_is_retryable_if_the_platform_must_act(error: FlytempError, permanent: bool, kind: str) -> None:
    made = application_error(error)
    assert (made.non_retryable, made.details[0]["kind"], made.type) == (permanent, kind, error.code)


class Failing:
    """An activity that raises the given error."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    @control_activity(SHORT_TIMER)
    async def fail(self, argument: ShortTimerArgument) -> None:
        raise self.error


async def test_flytemp_error_becomes_an_application_error_with_code_and_hint() -> None:
    with pytest.raises(ApplicationError) as caught:
        await Failing(InputError("wrong", hint="do it right")).fail({"seconds": 0})
    assert caught.value.type == InputError.code
    assert "do it right" in caught.value.message


async def test_failure_has_a_limited_size() -> None:
    for error in (InputError("x" * 3_000_000, hint="y" * 3_000_000), KeyError("x" * 3_000_000)):
        with pytest.raises(ApplicationError) as caught:
            await Failing(error).fail({"seconds": 0})
        assert len(caught.value.message.encode()) <= MESSAGE_BYTES
        assert caught.value.__cause__ is None


@pytest.mark.parametrize("error", [OSError("x"), MemoryError(), RPCError("x", RPCStatusCode.UNAVAILABLE, b"")])
async def test_error_of_the_machine_is_repeated_by_temporal(error: Exception) -> None:
    with pytest.raises(type(error)):
        await Failing(error).fail({"seconds": 0})


@pytest.mark.parametrize("error", [KeyError("x"), RecursionError("x"), ValueError("Maximum serialization depth exceeded")])
async def test_bug_is_not_repeated_by_temporal(error: Exception) -> None:
    with pytest.raises(ApplicationError) as caught:
        await Failing(error).fail({"seconds": 0})
    assert (caught.value.type, caught.value.non_retryable, caught.value.details[0]["kind"]) == ("FlytempBug", True, "SYSTEM")


async def test_argument_without_a_required_field_is_rejected() -> None:
    with pytest.raises(ApplicationError) as caught:
        await Failing(KeyError("x")).fail({})
    assert caught.value.type == CorruptData.code


@pytest.mark.parametrize("text", ["", "short", "ä" * 1_000, "x" * MESSAGE_BYTES])
def test_short_text_is_unchanged(text: str) -> None:
    assert bounded(text) == text


@pytest.mark.parametrize("text", ["x" * 5_000_000, "🙂" * 100_000, "ä" * 1_001])
def test_long_text_is_cut_to_the_limit_with_a_note(text: str) -> None:
    cut = bounded(text)
    assert len(cut.encode()) <= MESSAGE_BYTES
    assert cut.endswith(f"({len(text)} characters)")
    assert cut.startswith(text[:400])


def test_lone_surrogates_are_escaped() -> None:
    assert bounded("a\udcffb").encode() == b"a\\udcffb"
