"""Errors of flytemp as Temporal carries them."""

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
"""A control activity that takes longer says so often that it lives; see `flytemp_worker.workflow.activity_calls`."""

MESSAGE_BYTES = 2_000
"""A failure's text in a history, in UTF-8. The server keeps 4 KiB of the last failure of a pending activity."""


def application_error(error: FlytempError) -> ApplicationError:
    """What the user must act on ends the run; what the platform must act on is tried again until it has."""
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
    """``text`` cut to ``limit`` bytes, and saying so; what is no Unicode in it is shown by its number."""
    data = text.encode("utf-8", "backslashreplace")
    if len(data) <= limit:
        return data.decode()
    suffix = f" … ({len(text)} characters)"
    return data[: limit - len(suffix.encode())].decode("utf-8", "ignore") + suffix


def error_detail(kind: str, code: str, message: str, retryable: bool) -> dict[str, Any]:
    """The dict that the engine's `TaskFailed` takes."""
    return {"kind": kind, "code": code, "message": bounded(message), "retryable": retryable}
