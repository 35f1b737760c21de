"""Implementation of the activities that `flytemp.protocol.activities` declares."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias, TypeVar

from temporalio import activity
from temporalio.exceptions import ApplicationError

from flytemp.errors import FlytempError
from flytemp.protocol.message import Activity, Json, Message, write
from flytemp_activities.application_errors import TRANSIENT, application_error, bug_failure

S = TypeVar("S")
A = TypeVar("A", bound=Message)
R = TypeVar("R")

HEARTBEAT_SECONDS = 2.0
"""Interval of the heartbeats of a control activity; see `flytemp_worker.workflow.activity_calls` for the timeout."""

TypedMethod: TypeAlias = Callable[[S, A], Awaitable[R]]
ActivityMethod: TypeAlias = Callable[[S, dict[str, Any]], Coroutine[Any, Any, Json]]

logger = logging.getLogger("flytemp.activities")


def implements(declaration: Activity[A, R]) -> Callable[[TypedMethod[S, A, R]], ActivityMethod[S]]:
    """Return a decorator that makes a method the implementation of an activity.

    The method takes the declared argument and returns the declared result. The activity takes and returns their JSON.

    A `FlytempError` becomes an application error with a code and a detail. Temporal repeats the activity after errors of the
    platform only: any other exception is a bug, which each repetition would meet.
    """

    def decorate(method: TypedMethod[S, A, R]) -> ActivityMethod[S]:
        async def implementation(self: S, argument: dict[str, Any]) -> Json:
            with _application_errors(declaration.name):
                return write(await method(self, declaration.argument.from_json(argument)))

        return _define(declaration, method, implementation)

    return decorate


def control_activity(declaration: Activity[A, R]) -> Callable[[TypedMethod[S, A, R]], ActivityMethod[S]]:
    """Return a decorator as `implements` does, for an activity on the workflow's own task queue.

    The activity heartbeats, so that Temporal soon retries it on another worker if its worker has died.
    """

    def decorate(method: TypedMethod[S, A, R]) -> ActivityMethod[S]:
        async def implementation(self: S, argument: dict[str, Any]) -> Json:
            with _application_errors(declaration.name):
                return write(await _with_heartbeats(method(self, declaration.argument.from_json(argument))))

        return _define(declaration, method, implementation)

    return decorate


@contextmanager
def _application_errors(name: str) -> Iterator[None]:
    try:
        yield
    except FlytempError as error:
        raise application_error(error) from None  # the message of a cause may be too long for Temporal
    except (ApplicationError, *TRANSIENT):
        raise
    except Exception as error:
        logger.exception("the activity %s failed because of a bug of flytemp", name)
        raise bug_failure(error) from None


def _define(declaration: Activity[A, R], method: TypedMethod[S, A, R], implementation: ActivityMethod[S]) -> ActivityMethod[S]:
    implementation.__name__ = method.__name__
    implementation.__qualname__ = method.__qualname__
    implementation.__doc__ = method.__doc__
    return activity.defn(name=declaration.name)(implementation)


async def _with_heartbeats(work: Awaitable[R]) -> R:
    working = asyncio.ensure_future(work)
    try:
        while not working.done():
            await asyncio.wait({working}, timeout=HEARTBEAT_SECONDS)
            if not working.done():
                activity.heartbeat()
        return working.result()
    finally:
        working.cancel()
