"""Creation of the pod of a try: one worker creates it, others find it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from types import TracebackType

from flytemp.request_retries import pauses
from flytemp.runtime.invocation import Invocation, TaskError
from flytemp_activities.kubernetes import names
from flytemp_activities.kubernetes.api import ApiError
from flytemp_activities.kubernetes.manifest import PodManifest
from flytemp_activities.kubernetes.pods import Pod, Pods

OnWait = Callable[[str, str], None]
"""Callback with the reason and message of a pod that cannot be created now. It may raise `NotCreated`."""

_PAUSES = (0.4, 2.0, 25.0)
"""First pause in seconds, factor, longest pause between requests."""


class NotCreated(Exception):
    """Error raised when the pod cannot be created. ``killed``: the try was stopped before it had a pod."""

    def __init__(self, error: TaskError, *, killed: bool = False) -> None:
        super().__init__(error.message)
        self.error = error
        self.killed = killed


class NotStarted(Exception):
    """Error raised when an early start made no pod. ``is_ambiguous``: the pod may exist nevertheless, now or soon."""

    def __init__(self, reason: str, *, is_ambiguous: bool = False) -> None:
        super().__init__(reason)
        self.is_ambiguous = is_ambiguous


class Creations:
    """Counter of this worker's creations in progress. Work that can wait gives way to them."""

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
        """Wait until no creation is in progress, up to ``seconds``."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._none.wait()


class Creation:
    """Creation of one pod. The event ``killed`` stops it."""

    def __init__(self, pods: Pods, manifest: PodManifest, invocation: Invocation, killed: asyncio.Event) -> None:
        self._pods = pods
        self._manifest = manifest
        self._invocation = invocation
        self._killed = killed

    async def find(self, on_wait: OnWait) -> Pod | None:
        """Return the pod that this or another worker created before, or None.

        The pod is read before one is created, because an exhausted quota hides that the name is taken. A try that was stopped
        waits for the response, too: otherwise it could leave a pod behind.

        Raises:
            NotCreated: a pod of another origin has the name, or the request is refused.
        """
        for pause in pauses(None, *_PAUSES):
            try:
                found = await self._pods.get(self._manifest.namespace, self._manifest.name)
            except ApiError as error:
                if not error.is_transient:
                    raise NotCreated(_forbidden(error, self._manifest)) from error
                on_wait("ApiServer", error.message or str(error))
                await asyncio.sleep(error.retry_after or pause)
                continue
            return None if found is None or _is_terminating_foreigner(found, self._invocation) else self._checked(found)
        raise AssertionError  # the pauses have no end

    async def create_once(self) -> Pod:
        """Create the pod by one request.

        Raises:
            NotStarted: the request failed. The activity of the try meets the same error and reports it.
        """
        try:
            return await self._pods.create(self._manifest.namespace, self._manifest.pod)
        except ApiError as error:
            raise NotStarted(str(error), is_ambiguous=error.is_ambiguous or error.status == 409) from error

    async def create(self, on_wait: OnWait) -> Pod:
        """Create the pod, or return it if it exists already.

        Raises:
            NotCreated: the server refuses the pod, or the try was stopped.
        """
        is_ambiguous = False
        for pause in pauses(None, *_PAUSES):
            if is_ambiguous and (found := await self.find(on_wait)) is not None:
                return found
            if self._killed.is_set():
                raise NotCreated(TaskError.of("Lost", "the try was stopped before it had a pod"), killed=True)
            try:
                return await self._pods.create(self._manifest.namespace, self._manifest.pod)
            except ApiError as error:
                is_ambiguous = error.is_ambiguous
                if error.status == 409 and error.reason == "AlreadyExists":
                    found = await self.find(on_wait)
                    if found is not None:
                        return found
                elif not (error.is_transient or error.is_quota or error.status == 409):
                    raise NotCreated(_refusal(error, self._manifest)) from error
                else:
                    on_wait("QuotaExceeded" if error.is_quota else "ApiServer", error.message or str(error))
                await self._pause(error.retry_after or pause)
        raise AssertionError  # the pauses have no end

    def _checked(self, pod: Pod) -> Pod:
        if names.is_of(pod, self._invocation):
            return pod
        manifest = self._manifest
        message = f"the namespace {manifest.namespace} has a pod {manifest.name} that was not made for this task"
        raise NotCreated(TaskError.of("NameTaken", message))

    async def _pause(self, seconds: float) -> None:
        """Wait for ``seconds``, or until the try is stopped."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._killed.wait()


def _is_terminating_foreigner(pod: Pod, invocation: Invocation) -> bool:
    """Return whether the pod is of another try and is being deleted, so that its name will be free."""
    return bool(pod["metadata"].get("deletionTimestamp")) and not names.is_of(pod, invocation)


def _refusal(error: ApiError, manifest: PodManifest) -> TaskError:
    if error.is_too_large or error.status in (400, 422) or (error.status == 403 and not _is_missing_right(error.message)):
        # Another 403 is the decision of an admission plugin: Pod Security, a LimitRange.
        return TaskError.of("InvalidPod", f"Kubernetes refuses the task's pod: {error.message or error}")
    return _forbidden(error, manifest)


def _is_missing_right(message: str) -> bool:
    """Return whether a 403 is the platform's: a missing right or service account, or a namespace that is being deleted."""
    texts = (" cannot create resource ", "because it is being terminated", "error looking up service account")
    return any(text in message for text in texts)


def _forbidden(error: ApiError, manifest: PodManifest) -> TaskError:
    hint = {
        401: "the worker's credentials are not valid",
        403: "the worker lacks a right there: compare its Role with infra/rbac",
        404: f"is there a namespace {manifest.namespace}?",
    }.get(error.status, "")
    message = f"no pod can be created in the namespace {manifest.namespace}: {error}{f' ({hint})' if hint else ''}"
    return TaskError.of("ApiError", message)
