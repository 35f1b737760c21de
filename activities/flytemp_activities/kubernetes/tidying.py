"""What happens to a pod that is over: its output is kept, then it goes, or stays, as the policy says."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from flytemp.errors import StoreError
from flytemp.layout import RootLayout
from flytemp.runtime.invocation import Invocation
from flytemp.store.object_store import ObjectStore
from flytemp_activities.kubernetes.api import ApiError
from flytemp_activities.kubernetes.creation import Creations
from flytemp_activities.kubernetes.links import links_of
from flytemp_activities.kubernetes.pods import Pod, Pods
from flytemp_activities.kubernetes.policy import Policy

T = TypeVar("T")

CHUNK_BYTES = 1024 * 1024

PAUSES = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Between requests to a server in trouble; a try is over and nobody waits, but its pod holds room that others want."""

GIVE_WAY_SECONDS = 5.0
AT_ONCE = 16
"""Pods that are tidied up after at once, and how long each waits while others are being created."""

logger = logging.getLogger("flytemp.kubernetes")


class Tidying:
    """Runs beside the tries: nobody waits for it, but for a worker that ends."""

    def __init__(self, store: ObjectStore, pods: Pods, policy: Policy, creations: Creations) -> None:
        self._store = store
        self._pods = pods
        self._policy = policy
        self._creations = creations
        self._room = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    def after(self, namespace: str, pod: Pod, primary: str, invocation: Invocation, *, failed: bool) -> None:
        """The try's verdict stands: keep the output, and remove the pod unless it is to be kept."""
        keep = self._policy.keep_pods
        stays = keep == "always" or (keep == "failed" and failed)
        if has_running_containers(pod, primary):
            self._spawn(self.remove(namespace, pod, primary, invocation))
        elif stays:
            self._spawn(self._later(self._keep_log(namespace, pod["metadata"]["name"], primary, invocation)))
        else:
            self._spawn(self._later(self.remove(namespace, pod, primary, invocation)))

    async def _later(self, work: Coroutine[Any, Any, None]) -> None:
        """A pod that is over takes no room on its node, so pods that are to run come first."""
        try:
            await self._creations.give_way(GIVE_WAY_SECONDS)
            async with self._room:
                await work
        finally:
            work.close()

    def keep_links(self, pod: Pod, primary: str, invocation: Invocation) -> None:
        """Note where else the try's output can be read, now that its container runs."""
        if self._policy.log_links:
            self._spawn(self._write_links(links_of(self._policy.log_links, pod, primary, invocation), invocation))

    async def _write_links(self, links: dict[str, str], invocation: Invocation) -> None:
        key = RootLayout(invocation.execution_root).log_links(invocation.node, invocation.attempt, invocation.try_)
        try:
            await asyncio.to_thread(self._store.write, key, json.dumps(links).encode())
        except StoreError as error:
            logger.info("the log links of node %s are not kept: %s", invocation.node, error)

    async def remove(self, namespace: str, pod: Pod, primary: str, invocation: Invocation) -> None:
        """Keep the output in the store, and delete the pod. What fails here is the janitor's to finish."""
        name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
        await self._keep_log(namespace, name, primary, invocation)
        try:
            await _patiently(lambda: self._pods.delete(namespace, name, uid), lambda error: error.is_passing)
        except ApiError as error:
            logger.warning("pod %s/%s could not be deleted, the janitor will: %s", namespace, name, error)

    async def _keep_log(self, namespace: str, name: str, primary: str, invocation: Invocation) -> None:
        layout = RootLayout(invocation.execution_root)
        try:
            # With another error the server says that the node does not answer, which may be for ever.
            output = await _patiently(
                lambda: self._pods.log(namespace, name, primary), lambda error: error.status in (429, 503)
            )
            for number, start in enumerate(range(0, len(output), CHUNK_BYTES)):
                key = layout.log_chunk(invocation.node, invocation.attempt, invocation.try_, number)
                await asyncio.to_thread(self._store.write, key, output[start : start + CHUNK_BYTES])
        except (ApiError, StoreError) as error:
            logger.info("the output of pod %s/%s is not kept: %s", namespace, name, error)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("tidying up after a pod failed", exc_info=error)

    async def close(self, seconds: float) -> None:
        """Wait for what is under way, for so long at most."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        for task in list(self._tasks):
            task.cancel()


async def _patiently(request: Callable[[], Awaitable[T]], is_passing: Callable[[ApiError], bool]) -> T:
    """The answer to a request, made again for some time where the server has trouble that passes.

    Raises:
        ApiError: it was refused, or the trouble lasts.
    """
    for pause in PAUSES:
        try:
            return await request()
        except ApiError as error:
            if not is_passing(error):
                raise
            await asyncio.sleep((error.retry_after or pause) * random.uniform(0.8, 1.2))
    return await request()


def has_running_containers(pod: Pod, primary: str) -> bool:
    """Whether a sidecar goes on after the task: then the pod is deleted all the same, or it would hold its resources."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return any("running" in (status.get("state") or {}) for status in statuses if status["name"] != primary)
