"""Cleanup of pods: storage of their output, and deletion by the rules of the policy."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from flytemp.errors import StoreError
from flytemp.layout import RootLayout
from flytemp.request_retries import pauses
from flytemp.runtime.invocation import Invocation, TaskError
from flytemp.store.object_store import ObjectStore
from flytemp_activities.backend import SystemFailure
from flytemp_activities.background import Background
from flytemp_activities.kubernetes.api import ApiError, retry_transient
from flytemp_activities.kubernetes.classify import classify
from flytemp_activities.kubernetes.creation import Creations
from flytemp_activities.kubernetes.links import log_links_of
from flytemp_activities.kubernetes.pods import Pod, Pods
from flytemp_activities.kubernetes.policy import Policy
from flytemp_activities.kubernetes.watch import PodSubscription

CHUNK_BYTES = 1024 * 1024

TRIES = 7
"""Tries of a request in the background, within about 20 seconds. The pod of a finished try holds resources meanwhile."""

OUTPUT_SECONDS = 5.0
"""Maximum delay of a failure until its output is kept."""

GONE_SECONDS = 60.0
"""Time for a deleted pod to disappear after its grace period. A pod whose node does not answer is then deleted by force."""

LAST_OUTPUT_SECONDS = 2.0
"""Maximum delay of a deletion until the output is being read, and maximum time after it until the output is kept."""

GIVE_WAY_SECONDS = 5.0
NEXT_POD_SECONDS = 0.2
CONCURRENT = 16
"""Maximum number of pods that are cleaned up at the same time. Each waits for `NEXT_POD_SECONDS`, in which the next pod of its
workflow may be created, and up to `GIVE_WAY_SECONDS` while other pods are being created."""

logger = logging.getLogger("flytemp.kubernetes")


@dataclass(frozen=True, slots=True)
class FinishedPod:
    """A pod whose try has an outcome. ``primary`` is the name of the task's container."""

    namespace: str
    pod: Pod
    primary: str
    invocation: Invocation

    @property
    def name(self) -> str:
        return str(self.pod["metadata"]["name"])

    @property
    def uid(self) -> str:
        return str(self.pod["metadata"]["uid"])


class Cleanup:
    """Deletion of pods and storage of their output, in the background of the tries where possible."""

    def __init__(self, store: ObjectStore, pods: Pods, policy: Policy, creations: Creations) -> None:
        self._store = store
        self._pods = pods
        self._policy = policy
        self._creations = creations
        self._slots = asyncio.Semaphore(CONCURRENT)
        self._readers = 0  # pods whose last output is being read
        self._background = Background(logger, "the cleanup of a pod failed")

    def schedule(self, finished: FinishedPod, *, failed: bool, kept: bool = False) -> None:
        """Keep the output unless it is ``kept``, and delete the pod unless the policy keeps it, both in the background."""
        keep = self._policy.keep_pods
        stays = keep == "always" or (keep == "failed" and failed)
        if has_running_containers(finished.pod, finished.primary):
            self._background.start(self._remove(finished, kept=kept))
        elif not stays:
            self._background.start(self._later(self._remove(finished, kept=kept)))
        elif not kept:
            self._background.start(self._later(self._keep_log(finished)))

    async def keep_output(self, finished: FinishedPod) -> bool:
        """Keep the output now; return False if that takes longer than `OUTPUT_SECONDS`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(OUTPUT_SECONDS):
                await self._keep_log(finished)
                return True
        return False

    def keep_links(self, pod: Pod, primary: str, invocation: Invocation) -> None:
        """Store the log links of a try whose container runs, in the background."""
        if self._policy.log_links:
            self._background.start(self._write_links(log_links_of(self._policy.log_links, pod, primary, invocation), invocation))

    async def close(self, seconds: float) -> None:
        """Wait up to ``seconds`` for the background work."""
        await self._background.close(seconds)

    # ----------------------------------------------------------------------------------- deletion

    async def delete_and_wait(self, subscription: PodSubscription, finished: FinishedPod) -> None:
        """Delete the pod with its grace period, and return when it is gone. Its output until then is kept.

        Raises:
            SystemFailure: the server refuses the deletion.
        """
        reader = None
        if classify(finished.pod, finished.primary).phase in ("running", "ended"):
            opened = asyncio.Event()
            reader = asyncio.create_task(self._keep_last_output(finished, opened))
            await _within(LAST_OUTPUT_SECONDS, opened)
        try:
            await self.delete(finished)
            grace = float((finished.pod.get("spec") or {}).get("terminationGracePeriodSeconds") or 0)
            await self._until_gone(subscription, finished, grace + GONE_SECONDS)
            if not subscription.gone:
                await self.delete(finished, 0)
        finally:
            if reader is not None:
                await asyncio.wait([reader], timeout=LAST_OUTPUT_SECONDS)
                reader.cancel()

    async def delete(self, finished: FinishedPod, grace_seconds: float | None = None) -> None:
        """Request the deletion of this very pod until the server accepts it.

        Raises:
            SystemFailure: the server refuses it.
        """
        try:
            await retry_transient(
                lambda: self._pods.delete(finished.namespace, finished.name, finished.uid, grace_seconds),
                lambda error: error.is_transient,
                pauses(None, 0.4, 2, 5.0),
            )
        except ApiError as error:
            raise SystemFailure(TaskError.of("ApiError", f"the pod could not be deleted: {error}")) from error

    async def refresh(self, subscription: PodSubscription, finished: FinishedPod) -> None:
        """Read the pod itself, in case the watch missed an event."""
        try:
            subscription.replace(await self._pods.get(finished.namespace, finished.name))
        except ApiError as error:
            logger.info("pod %s could not be read: %s", finished.name, error)

    async def _until_gone(self, subscription: PodSubscription, finished: FinishedPod, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not subscription.gone and time.monotonic() < end:
            subscription.changed.clear()
            await _within(5, subscription.changed)
            if not subscription.changed.is_set():
                await self.refresh(subscription, finished)

    async def _later(self, work: Coroutine[Any, Any, None]) -> None:
        """Do the work after the pods that are being created: a finished pod uses no resources of its node."""
        try:
            await asyncio.sleep(NEXT_POD_SECONDS)
            await self._creations.give_way(GIVE_WAY_SECONDS)
            async with self._slots:
                await work
        finally:
            work.close()

    async def _remove(self, finished: FinishedPod, *, kept: bool) -> None:
        """Keep the output and delete the pod. The janitor finishes what fails here."""
        if not kept:
            await self._keep_log(finished)
        try:
            await retry_transient(
                lambda: self._pods.delete(finished.namespace, finished.name, finished.uid),
                lambda error: error.is_transient,
                pauses(TRIES, 0.5, 2, 10.0),
            )
        except ApiError as error:
            logger.warning("pod %s/%s could not be deleted, the janitor will: %s", finished.namespace, finished.name, error)

    # ------------------------------------------------------------------------------------- output

    async def _keep_last_output(self, finished: FinishedPod, opened: asyncio.Event) -> None:
        """Keep the output until the end of a container that is about to be deleted.

        ``opened`` is set when the output is being read, or cannot be. If many pods are deleted at once, some logs are kept as
        they are now.
        """
        try:
            if self._readers >= CONCURRENT:
                await self._keep_log(finished)
                opened.set()
                return
            self._readers += 1
            output = bytearray()
            try:
                async for data in self._pods.follow_log(finished.namespace, finished.name, finished.primary):
                    opened.set()
                    output += data
            finally:
                self._readers -= 1
                opened.set()
                await self._write(finished, bytes(output))  # also the output of a node that stopped answering
        except (ApiError, StoreError) as error:
            logger.info("the last output of pod %s/%s is not complete: %s", finished.namespace, finished.name, error)

    async def _write_links(self, links: dict[str, str], invocation: Invocation) -> None:
        key = RootLayout(invocation.execution_root).log_links(invocation.node, invocation.attempt_key, invocation.try_)
        try:
            await asyncio.to_thread(self._store.write, key, json.dumps(links).encode())
        except StoreError as error:
            logger.info("the log links of node %s are not kept: %s", invocation.node, error)

    async def _keep_log(self, finished: FinishedPod) -> None:
        try:
            # Other errors mean that the node does not answer, perhaps for ever.
            output = await retry_transient(
                lambda: self._pods.log(finished.namespace, finished.name, finished.primary),
                lambda error: error.status in (429, 503),
                pauses(TRIES, 0.5, 2, 10.0),
            )
            await self._write(finished, output)
        except (ApiError, StoreError) as error:
            logger.info("the output of pod %s/%s is not kept: %s", finished.namespace, finished.name, error)

    async def _write(self, finished: FinishedPod, output: bytes) -> None:
        tried = finished.invocation
        await asyncio.to_thread(
            write_output, self._store, tried.execution_root, tried.node, tried.attempt_key, tried.try_, output
        )


def write_output(store: ObjectStore, root: str, node: str, attempt: str, try_: int, output: bytes) -> None:
    """Keep the output of a try.

    Raises:
        StoreError: the store refuses it.
    """
    layout = RootLayout(root)
    for number, start in enumerate(range(0, len(output), CHUNK_BYTES)):
        store.write(layout.log_chunk(node, attempt, try_, number), output[start : start + CHUNK_BYTES])


def has_running_containers(pod: Pod, primary: str) -> bool:
    """Return whether a sidecar runs after the task. Such a pod is always deleted, because it holds its resources."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return any("running" in (status.get("state") or {}) for status in statuses if status["name"] != primary)


async def _within(seconds: float, event: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
