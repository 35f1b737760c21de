"""What happens to a pod that is over: its output is kept, then it goes, or stays, as the policy says."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from flytemp.errors import StoreError
from flytemp.layout import RootLayout
from flytemp.runtime.invocation import Invocation
from flytemp.store.object_store import ObjectStore
from flytemp_activities.background import Background
from flytemp_activities.kubernetes.api import ApiError, patiently
from flytemp_activities.kubernetes.creation import Creations
from flytemp_activities.kubernetes.links import links_of
from flytemp_activities.kubernetes.pods import Pod, Pods
from flytemp_activities.kubernetes.policy import Policy

CHUNK_BYTES = 1024 * 1024

PAUSES = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Between requests to a server in trouble; a try is over and nobody waits, but its pod holds room that others want."""

OUTPUT_SECONDS = 5.0
"""So long a failure waits for its output to be kept."""

GIVE_WAY_SECONDS = 5.0
NEXT_POD_SECONDS = 0.2
AT_ONCE = 16
"""Pods that are tidied up after at once; how long each waits while others are being created, and before, for the one that may
be next in its workflow."""

logger = logging.getLogger("flytemp.kubernetes")


@dataclass(frozen=True, slots=True)
class FinishedPod:
    """A pod whose try is over; ``primary`` is the task's container."""

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
    """Runs beside the tries: nobody waits for it, but for a worker that ends."""

    def __init__(self, store: ObjectStore, pods: Pods, policy: Policy, creations: Creations) -> None:
        self._store = store
        self._pods = pods
        self._policy = policy
        self._creations = creations
        self._room = asyncio.Semaphore(AT_ONCE)
        self._listeners = 0  # pods whose last words are being read
        self._background = Background(logger, "tidying up after a pod failed")

    def after(self, over: FinishedPod, *, failed: bool, kept: bool = False) -> None:
        """The try's verdict stands: keep the output, unless it is ``kept``, and remove the pod unless it is to stay."""
        keep = self._policy.keep_pods
        stays = keep == "always" or (keep == "failed" and failed)
        if has_running_containers(over.pod, over.primary):
            self._background.start(self.remove(over, kept=kept))
        elif not stays:
            self._background.start(self._later(self.remove(over, kept=kept)))
        elif not kept:
            self._background.start(self._later(self._keep_log(over)))

    async def keep_output(self, over: FinishedPod) -> bool:
        """Keep what it printed, now; False when that takes long, and is to be tried again later."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(OUTPUT_SECONDS):
                await self._keep_log(over)
                return True
        return False

    async def keep_last_words(self, over: FinishedPod, opened: asyncio.Event) -> None:
        """Keep what its container says until its end, of a pod that is about to be deleted. ``opened`` is set when it is being
        read, or cannot be. Of very many at once, some are kept as they are now."""
        try:
            if self._listeners >= AT_ONCE:
                await self._keep_log(over)
                opened.set()
                return
            self._listeners += 1
            output = bytearray()
            try:
                async for data in self._pods.follow_log(over.namespace, over.name, over.primary):
                    opened.set()
                    output += data
            finally:
                self._listeners -= 1
                opened.set()
                await self._write(over, bytes(output))  # whatever there is, also of a node that fell silent
        except (ApiError, StoreError) as error:
            logger.info("the last output of pod %s/%s is not complete: %s", over.namespace, over.name, error)

    async def _later(self, work: Coroutine[Any, Any, None]) -> None:
        """A pod that is over takes no room on its node, so pods that are to run come first."""
        try:
            await asyncio.sleep(NEXT_POD_SECONDS)
            await self._creations.give_way(GIVE_WAY_SECONDS)
            async with self._room:
                await work
        finally:
            work.close()

    def keep_links(self, pod: Pod, primary: str, invocation: Invocation) -> None:
        """Note where else the try's output can be read, now that its container runs."""
        if self._policy.log_links:
            self._background.start(self._write_links(links_of(self._policy.log_links, pod, primary, invocation), invocation))

    async def _write_links(self, links: dict[str, str], invocation: Invocation) -> None:
        key = RootLayout(invocation.execution_root).log_links(invocation.node, invocation.attempt_key, invocation.try_)
        try:
            await asyncio.to_thread(self._store.write, key, json.dumps(links).encode())
        except StoreError as error:
            logger.info("the log links of node %s are not kept: %s", invocation.node, error)

    async def remove(self, over: FinishedPod, *, kept: bool = False) -> None:
        """Keep the output in the store, and delete the pod. What fails here is the janitor's to finish."""
        if not kept:
            await self._keep_log(over)
        try:
            await patiently(
                lambda: self._pods.delete(over.namespace, over.name, over.uid), lambda error: error.is_passing, PAUSES
            )
        except ApiError as error:
            logger.warning("pod %s/%s could not be deleted, the janitor will: %s", over.namespace, over.name, error)

    async def _keep_log(self, over: FinishedPod) -> None:
        try:
            # With another error the server says that the node does not answer, which may be for ever.
            output = await patiently(
                lambda: self._pods.log(over.namespace, over.name, over.primary),
                lambda error: error.status in (429, 503),
                PAUSES,
            )
            await self._write(over, output)
        except (ApiError, StoreError) as error:
            logger.info("the output of pod %s/%s is not kept: %s", over.namespace, over.name, error)

    async def _write(self, over: FinishedPod, output: bytes) -> None:
        tried = over.invocation
        await asyncio.to_thread(
            write_output, self._store, tried.execution_root, tried.node, tried.attempt_key, tried.try_, output
        )

    async def close(self, seconds: float) -> None:
        """Wait for what is under way, for so long at most."""
        await self._background.close(seconds)


def write_output(store: ObjectStore, root: str, node: str, attempt: str, try_: int, output: bytes) -> None:
    """Keep what a try printed.

    Raises:
        StoreError: the store refused.
    """
    layout = RootLayout(root)
    for number, start in enumerate(range(0, len(output), CHUNK_BYTES)):
        store.write(layout.log_chunk(node, attempt, try_, number), output[start : start + CHUNK_BYTES])


def has_running_containers(pod: Pod, primary: str) -> bool:
    """Whether a sidecar goes on after the task: then the pod is deleted all the same, or it would hold its resources."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return any("running" in (status.get("state") or {}) for status in statuses if status["name"] != primary)
