"""Conversion of flytemp's errors to Temporal's application errors."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, TypeVar

from temporalio import activity
from temporalio.exceptions import ApplicationError

from flytemp.errors import Actor, CorruptData, FlytempError

P = ParamSpec("P")
R = TypeVar("R")

HEARTBEAT_SECONDS = 2.0
"""Interval of a control activity's heartbeats; see `flytemp_worker.workflow.activity_calls`."""

MESSAGE_BYTES = 2_000
"""Longest text of a failure in a history, in UTF-8. The server keeps 4 KiB of the last failure of a pending activity."""


def application_error(error: FlytempError) -> ApplicationError:
    """Return the application error for a FlytempError. Temporal retries an error on which the platform must act."""
    permanent = error.actor is not Actor.PLATFORM or isinstance(error, CorruptData)
    detail = {
        "kind": "USER" if error.actor is Actor.USER else "SYSTEM",
        "code": error.code,
        "message": bounded(error.message),
    }
    hint = f" ({error.hint})" if error.hint else ""
    return ApplicationError(bounded(f"{error}{hint}"), detail, type=error.code, non_retryable=permanent)


def control_activity(function: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
    """A control activity: its FlytempErrors become application errors with a code, a text and a verdict.

    It heartbeats, so that one whose worker died is soon started elsewhere.
    """

    @functools.wraps(function)
    async def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        working = asyncio.ensure_future(function(*args, **kwargs))
        try:
            while not working.done():
                await asyncio.wait({working}, timeout=HEARTBEAT_SECONDS)
                if not working.done():
                    activity.heartbeat()
            return working.result()
        except FlytempError as error:
            raise application_error(error) from error
        finally:
            working.cancel()

    return wrapper


def bounded(text: str, limit: int = MESSAGE_BYTES) -> str:
    """Return ``text`` cut to ``limit`` bytes with a note of its length. Lone surrogates are shown as escapes."""
    data = text.encode("utf-8", "backslashreplace")
    if len(data) <= limit:
        return data.decode()
    suffix = f" … ({len(text)} characters)"
    return data[: limit - len(suffix.encode())].decode("utf-8", "ignore") + suffix


def error_detail(kind: str, code: str, message: str, retryable: bool) -> dict[str, Any]:
    """Return the detail of a failure, for the engine's `TaskFailed`."""
    return {"kind": kind, "code": code, "message": bounded(message), "retryable": retryable}
