"""How the pod of a try comes into being: created once, found by whoever comes later."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable
from types import TracebackType

from flytemp.runtime.invocation import Invocation, TaskError
from flytemp_activities.kubernetes import names
from flytemp_activities.kubernetes.api import ApiError
from flytemp_activities.kubernetes.manifest import Built
from flytemp_activities.kubernetes.pods import Pod, Pods

OnWait = Callable[[str, str], None]
"""Hears why the pod cannot be created just now: a reason and a message. It may raise `NotCreated`."""

_FIRST_PAUSE, _LAST_PAUSE = 0.25, 20.0


class NotCreated(Exception):
    """There will be no pod. ``killed``: because somebody asked for it."""

    def __init__(self, error: TaskError, *, killed: bool = False) -> None:
        super().__init__(error.message)
        self.error = error
        self.killed = killed


class NotStarted(Exception):
    """There is no pod that was to be started ahead. ``is_unclear``: there may be one all the same, now or soon."""

    def __init__(self, why: str, *, is_unclear: bool = False) -> None:
        super().__init__(why)
        self.is_unclear = is_unclear


class Creations:
    """How many this worker has under way: work that can wait gives way to them."""

    def __init__(self) -> None:
        self._count = 0
        self._none = asyncio.Event()
        self._none.set()

    def __enter__(self) -> None:
        self._count += 1
        self._none.clear()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._count -= 1
        if self._count == 0:
            self._none.set()

    async def give_way(self, seconds: float) -> None:
        """Wait until none is under way, for so long at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._none.wait()


class Creation:
    """The creation of one pod. ``killed`` is set when nobody wants it any more."""

    def __init__(self, pods: Pods, built: Built, invocation: Invocation, killed: asyncio.Event) -> None:
        self._pods = pods
        self._built = built
        self._invocation = invocation
        self._killed = killed

    async def find(self, on_wait: OnWait) -> Pod | None:
        """The pod that was created before, by this worker or another. Asked before anything is created: a quota without
        room hides that the name is taken. Also a try that is to end waits for the answer, or it would leave a pod behind.

        Raises:
            NotCreated: a pod of that name is somebody else's.
        """
        pause = _FIRST_PAUSE
        while True:
            try:
                found = await self._pods.get(self._built.namespace, self._built.name)
            except ApiError as error:
                if not error.is_passing:
                    raise NotCreated(_forbidden(error, self._built)) from error
                on_wait("ApiServer", error.message or str(error))
                await asyncio.sleep(_jittered(error, pause))
                pause = min(pause * 2, _LAST_PAUSE)
                continue
            return None if found is None or _is_terminating_foreigner(found, self._invocation) else self._adopted(found)

    async def create_once(self) -> Pod:
        """The pod, created by one request.

        Raises:
            NotStarted: it was not, for whatever reason. Who needs the pod will meet the same, and say so.
        """
        try:
            return await self._pods.create(self._built.namespace, self._built.pod)
        except ApiError as error:
            raise NotStarted(str(error), is_unclear=error.is_unclear or error.status == 409) from error

    async def create(self, on_wait: OnWait) -> Pod:
        """The pod: created now, or found to have been created before.

        Raises:
            NotCreated: the server refuses it for good, or it was killed meanwhile.
        """
        pause, is_unclear = _FIRST_PAUSE, False
        while True:
            if is_unclear and (found := await self.find(on_wait)) is not None:
                return found
            if self._killed.is_set():
                raise NotCreated(TaskError.of("Lost", "the try was stopped before it had a pod"), killed=True)
            try:
                return await self._pods.create(self._built.namespace, self._built.pod)
            except ApiError as error:
                is_unclear = error.is_unclear
                if error.status == 409 and error.reason == "AlreadyExists":
                    found = await self.find(on_wait)
                    if found is not None:
                        return found
                elif not (error.is_passing or error.is_quota or error.status == 409):
                    raise NotCreated(_refusal(error, self._built)) from error
                else:
                    on_wait("QuotaExceeded" if error.is_quota else "ApiServer", error.message or str(error))
                pause = await self._pause(error, pause)

    def _adopted(self, pod: Pod) -> Pod:
        if names.is_of(pod, self._invocation):
            return pod
        message = f"a pod {self._built.name} is there in {self._built.namespace}, and it was not made for this task"
        raise NotCreated(TaskError.of("NameTaken", message))

    async def _pause(self, error: ApiError, pause: float) -> float:
        """Wait, unless it is killed meanwhile; the next pause."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_jittered(error, pause)):
                await self._killed.wait()
        return min(pause * 2, _LAST_PAUSE)


def _jittered(error: ApiError, pause: float) -> float:
    return (error.retry_after or pause) * random.uniform(0.8, 1.2)


def _is_terminating_foreigner(pod: Pod, invocation: Invocation) -> bool:
    """A pod of the same name that is on its way out, and not this try's: the name will be free."""
    return bool(pod["metadata"].get("deletionTimestamp")) and not names.is_of(pod, invocation)


def _refusal(error: ApiError, built: Built) -> TaskError:
    if error.status in (400, 413, 422) or (error.status == 403 and not _is_the_platforms(error.message)):
        # A 403 that is no missing right is an admission's: Pod Security, a LimitRange.
        message = f"Kubernetes refuses the task's pod: {error.message or error}"
        return TaskError.of("InvalidPod", message)
    return _forbidden(error, built)


def _is_the_platforms(message: str) -> bool:
    """Of a 403: the worker lacks a right, its namespace is going away, or the service account for its pods is missing."""
    told = (" cannot create resource ", "because it is being terminated", "error looking up service account")
    return any(text in message for text in told)


def _forbidden(error: ApiError, built: Built) -> TaskError:
    hint = {
        401: "the worker's credentials are not valid",
        403: "the worker lacks a right there: compare its Role with infra/rbac",
        404: f"is there a namespace {built.namespace}?",
    }.get(error.status, "")
    message = f"no pod can be created in the namespace {built.namespace}: {error}{f' ({hint})' if hint else ''}"
    return TaskError.of("ApiError", message)
