"""Conversion of flytemp errors to Temporal application errors."""

from __future__ import annotations

from typing import Any

from temporalio.exceptions import ApplicationError, TemporalError

from flytemp.error_text import code_text, storable, titled
from flytemp.errors import Actor, CorruptData, FlytempError

MESSAGE_BYTES = 2_000
"""Maximum length of an error message in a history, in UTF-8. The server keeps 4 KiB of the last failure of a pending activity."""


def application_error(error: FlytempError) -> ApplicationError:
    """Return the application error for ``error``. It is retryable if the platform must act: then a later retry may succeed."""
    permanent = error.actor is not Actor.PLATFORM or isinstance(error, CorruptData)
    detail = {
        "kind": "USER" if error.actor is Actor.USER else "SYSTEM",
        "code": error.code,
        "message": bounded(error.message),
    }
    hint = f" ({error.hint})" if error.hint else ""
    return ApplicationError(bounded(f"{error}{hint}"), detail, type=error.code, non_retryable=permanent)


def bounded(text: str, limit: int = MESSAGE_BYTES) -> str:
    """Return ``text`` cut to ``limit`` bytes of UTF-8, with a note if it was cut. It is escaped as `storable` does."""
    data = storable(text).encode()
    if len(data) <= limit:
        return data.decode()
    suffix = f" … ({len(text)} characters)"
    return data[: limit - len(suffix.encode())].decode("utf-8", "ignore") + suffix


def error_detail(kind: str, code: str, message: str, retryable: bool) -> dict[str, Any]:
    """Return the error of a try in the form of the engine's `TaskFailed` event."""
    return {"kind": kind, "code": code_text(code), "message": bounded(message), "retryable": retryable}


TRANSIENT = (OSError, MemoryError, TemporalError)
"""Errors of the machine or the network, other than errors of flytemp, after which a repetition may succeed."""


def bug_failure(error: Exception) -> ApplicationError:
    """Return the failure of an activity that raised an error which is not one of flytemp's. Temporal does not repeat it.

    The engine repeats a task within its bounds if the error is one of `TRANSIENT`.
    """
    message = f"flytemp's worker failed: {titled(error)}"
    detail = error_detail("SYSTEM", "FlytempBug", message, isinstance(error, TRANSIENT))
    return ApplicationError(bounded(message), detail, type="FlytempBug", non_retryable=True)
