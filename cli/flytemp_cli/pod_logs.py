"""What tasks print while their pods run: from the Kubernetes API, until the store has it all.

Where a try runs is told in its activity's heartbeat, so no worker is asked. Without a way to the cluster the logs are those in
the store, and a note says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flytemp.client.again import node_path
from flytemp.client.describe import describe_workflow, last_heartbeat
from flytemp.client.logs import LogChunk
from flytemp.errors import FlytempError

if TYPE_CHECKING:
    from temporalio.client import WorkflowExecutionDescription

    from flytemp.client.client import Client
    from flytemp.client.handle import ExecutionHandle
    from flytemp.config import Settings
    from flytemp_activities.kubernetes.api import KubernetesApi

LOOK_SECONDS = 1.0
"""How often a follower looks for pods that were started meanwhile."""

Key = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class RunningPod:
    """The pod of a try that runs now."""

    key: Key
    namespace: str
    name: str
    container: str

    @property
    def log_path(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/pods/{self.name}/log"


class PodLogs:
    """Joins what pods say now with what is in the store: of each try's output, every byte once, in its order."""

    def __init__(self, client: Client, settings: Settings, note: Callable[[str], None]) -> None:
        self._client = client
        self._settings = settings
        self._note = note
        self._api: KubernetesApi | None = None
        self._refused = False
        self._shown: dict[Key, int] = {}  # bytes that came from the pod
        self._stored: dict[Key, int] = {}  # bytes that came from the store

    async def close(self) -> None:
        if self._api is not None:
            await self._api.close()

    def unseen(self, chunk: LogChunk) -> LogChunk | None:
        """The part of a chunk of the store that the pod has not said already."""
        key = (chunk.node, chunk.attempt, chunk.try_)
        data = chunk.text.encode()
        start = self._stored.get(key, 0)
        self._stored[key] = start + len(data)
        rest = data[max(0, self._shown.get(key, 0) - start) :]
        return LogChunk(*key, rest.decode("utf-8", "replace")) if rest else None

    async def running(self, handle: ExecutionHandle[Any], node: str | None, attempt: int | None) -> list[RunningPod]:
        """The pods of the execution's tries that run now, of a node and an attempt where these are given."""
        description = await describe_workflow(self._client.temporal, handle.workflow_id)
        found = [] if description is None else running_pods(description)
        if found and node is not None:
            path = node_path(await handle.describe(), node)
            found = [pod for pod in found if pod.key[0] == path or pod.key[0].startswith(f"{path}.")]
        return [pod for pod in found if attempt in (None, pod.key[1])]

    async def read(self, pod: RunningPod, *, follow: bool) -> AsyncIterator[LogChunk]:
        """What the pod's container says: until now, or until its end. A pod that is gone says nothing; the store will."""
        from flytemp_activities.kubernetes.api import ApiError

        api = await self._connected()
        if api is None:
            return
        parameters = {"container": pod.container, **({"follow": "true"} if follow else {})}
        try:
            async for data in api.stream(pod.log_path, parameters):
                self._shown[pod.key] = self._shown.get(pod.key, 0) + len(data)
                yield LogChunk(*pod.key, data.decode("utf-8", "replace"))
        except ApiError as error:
            if error.status in (401, 403):
                self._refuse(str(error))

    async def _connected(self) -> KubernetesApi | None:
        if self._api is None and not self._refused:
            from flytemp_activities.kubernetes.api import KubernetesApi

            try:
                chosen = self._settings.kubernetes
                self._api = await KubernetesApi.connect(chosen.kubeconfig, chosen.context)
            except FlytempError as error:
                self._refuse(str(error))
        return self._api

    def _refuse(self, why: str) -> None:
        if not self._refused:
            self._note(f"what runs now is shown when it has ended, as its pods cannot be read: {why}")
        self._refused = True


def running_pods(description: WorkflowExecutionDescription) -> list[RunningPod]:
    """The pods that the heartbeats of pending activities tell of."""
    found: list[RunningPod] = []
    for pending in description.raw_description.pending_activities:
        path, _, numbers = pending.activity_id.partition("@")
        attempt, _, try_ = numbers.partition(".")
        if not (attempt.isdigit() and try_.isdigit()):
            continue
        told = last_heartbeat(pending)
        if told.get("phase") == "running" and "pod" in told and "namespace" in told:
            container = str(told.get("container") or "primary")
            found.append(RunningPod((path, int(attempt), int(try_)), str(told["namespace"]), str(told["pod"]), container))
    return found


class Follower:
    """Follows the store and every running pod at once, until the execution is over."""

    def __init__(self, logs: PodLogs, handle: ExecutionHandle[Any], node: str | None, attempt: int | None) -> None:
        self._logs = logs
        self._handle = handle
        self._node = node
        self._attempt = attempt
        self._queue: asyncio.Queue[LogChunk | None] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._followed: set[Key] = set()

    async def chunks(self) -> AsyncIterator[LogChunk]:
        """Chunks as they come.

        Raises:
            NotFound: there is no such execution or node.
        """
        store = asyncio.create_task(self._follow_store())
        self._tasks = [store, asyncio.create_task(self._follow_pods())]
        try:
            while (item := await self._queue.get()) is not None:
                yield item
            await store
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _follow_store(self) -> None:
        try:
            async for chunk in self._handle.logs(self._node, attempt=self._attempt, follow=True):
                unseen = self._logs.unseen(chunk)
                if unseen is not None:
                    self._queue.put_nowait(unseen)
        finally:
            self._queue.put_nowait(None)

    async def _follow_pods(self) -> None:
        while True:
            for pod in await self._logs.running(self._handle, self._node, self._attempt):
                if pod.key not in self._followed:
                    self._followed.add(pod.key)
                    self._tasks.append(asyncio.create_task(self._follow_pod(pod)))
            await asyncio.sleep(LOOK_SECONDS)

    async def _follow_pod(self, pod: RunningPod) -> None:
        async for chunk in self._logs.read(pod, follow=True):
            self._queue.put_nowait(chunk)


async def read_all(
    logs: PodLogs, handle: ExecutionHandle[Any], node: str | None, attempt: int | None
) -> AsyncIterator[LogChunk]:
    """All output until now: of what ended from the store, of what runs from its pods."""
    async for chunk in handle.logs(node, attempt=attempt):
        yield chunk
    for pod in await logs.running(handle, node, attempt):
        async for chunk in logs.read(pod, follow=False):
            yield chunk
