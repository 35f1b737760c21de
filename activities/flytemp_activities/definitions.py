"""Implementation of the activities that `flytemp.protocol.activities` declares."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeAlias, TypeVar

from temporalio import activity

from flytemp.errors import FlytempError
from flytemp.protocol.message import Activity, Json, Message, write
from flytemp_activities.application_errors import application_error

S = TypeVar("S")
A = TypeVar("A", bound=Message)
R = TypeVar("R")

HEARTBEAT_SECONDS = 2.0
"""Interval of the heartbeats of a control activity; see `flytemp_worker.workflow.activity_calls` for the timeout."""

TypedMethod: TypeAlias = Callable[[S, A], Awaitable[R]]
ActivityMethod: TypeAlias = Callable[[S, dict[str, Any]], Coroutine[Any, Any, Json]]


def implements(declaration: Activity[A, R]) -> Callable[[TypedMethod[S, A, R]], ActivityMethod[S]]:
    """Return a decorator that makes a method the implementation of an activity.

    The method takes the declared argument and returns the declared result. The activity takes and returns their JSON.
    """

    def decorate(method: TypedMethod[S, A, R]) -> ActivityMethod[S]:
        async def implementation(self: S, argument: dict[str, Any]) -> Json:
            return write(await method(self, declaration.argument.from_json(argument)))

        return _define(declaration, method, implementation)

    return decorate


def control_activity(declaration: Activity[A, R]) -> Callable[[TypedMethod[S, A, R]], ActivityMethod[S]]:
    """Return a decorator as `implements` does, for an activity on the workflow's own task queue.

    A `FlytempError` becomes an application error with a code and a detail. The activity heartbeats, so that Temporal soon
    retries it on another worker if its worker has died.
    """

    def decorate(method: TypedMethod[S, A, R]) -> ActivityMethod[S]:
        async def implementation(self: S, argument: dict[str, Any]) -> Json:
            try:
                return write(await _with_heartbeats(method(self, declaration.argument.from_json(argument))))
            except FlytempError as error:
                raise application_error(error) from error

        return _define(declaration, method, implementation)

    return decorate


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
