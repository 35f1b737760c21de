"""What tasks print while their pods run: from the Kubernetes API, until the store has it all.

Where a try runs is told in its activity's heartbeat, so no worker is asked. A pod that is over keeps its output for a moment,
until the worker has taken it to the store and removed the pod: it is found by its labels. Without a way to the cluster the logs
are those in the store, and a note says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flytemp.client.execution_state import last_heartbeat
from flytemp.client.logs import LogChunk
from flytemp.client.relaunch import node_path
from flytemp.errors import ConfigError, FlytempError
from flytemp.layout import ExecutionLayout
from flytemp.temporal.workflows import describe_workflow

if TYPE_CHECKING:
    from temporalio.client import WorkflowExecutionDescription

    from flytemp.client.client import Client
    from flytemp.client.handle import ExecutionHandle
    from flytemp.config import Settings
    from flytemp.records.models import Execution
    from flytemp_activities.kubernetes.api import KubernetesApi

LOOK_SECONDS = 1.0
"""How often a follower looks for pods that were started meanwhile."""

Key = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class TryPod:
    """The pod of a try."""

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
        self._shown: dict[Key, int] = {}  # bytes of each try's output, from wherever they came
        self._stored: set[Key] = set()  # tries whose output the store has

    async def close(self) -> None:
        if self._api is not None:
            await self._api.close()

    async def stored(self, chunks: AsyncIterator[LogChunk]) -> AsyncIterator[LogChunk]:
        """Of the store's chunks, from the first on, what was not shown already."""
        read: dict[Key, int] = {}
        async for chunk in chunks:
            key = (chunk.node, chunk.attempt, chunk.try_)
            self._stored.add(key)
            data = chunk.text.encode()
            unseen = self._unseen(key, read.get(key, 0), data)
            read[key] = read.get(key, 0) + len(data)
            if unseen is not None:
                yield unseen

    def _unseen(self, key: Key, start: int, data: bytes) -> LogChunk | None:
        """The part of ``data``, bytes of a try's output from ``start`` on, that was not shown already."""
        shown = self._shown.get(key, 0)
        rest = data[max(0, shown - start) :]
        self._shown[key] = max(shown, start + len(data))
        return LogChunk(*key, rest.decode("utf-8", "replace")) if rest else None

    async def running(self, handle: ExecutionHandle[Any], node: str | None, attempt: int | None) -> list[TryPod]:
        """The pods of the execution's tries that run now, of a node and an attempt where these are given."""
        description = await describe_workflow(self._client.temporal, handle.workflow_id)
        found = [] if description is None else running_pods(description)
        path = node_path(await handle.describe(), node) if found and node is not None else None
        return _wanted(found, path, attempt)

    async def _over(self, handle: ExecutionHandle[Any], node: str | None, attempt: int | None) -> list[TryPod]:
        """The pods of the execution that are over and still there."""
        from flytemp_activities.kubernetes.api import ApiError

        if not self.may_have_pods:
            return []
        execution = await handle.describe()
        api = await self._connected()
        if api is None:
            return []
        path = node_path(execution, node) if node is not None else None
        root = ExecutionLayout(execution.namespace, execution.workflow_id, execution.run_id).root
        try:
            pods = await pods_of(api, root, self._namespace(api, execution))
        except (ApiError, ConfigError) as error:
            self._note(f"the last output may follow later, as the pods that are over cannot be found: {error}")
            return []
        found = [try_pod(pod) for pod in pods if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")]
        return _wanted(found, path, attempt)

    @property
    def may_have_pods(self) -> bool:
        """Whether there is reason to ask a cluster: the settings name one, or pods were read before."""
        chosen = self._settings.kubernetes
        named = any((chosen.kubeconfig, chosen.context, chosen.namespace, chosen.policy))
        return self._api is not None or named or self._settings.worker.backend == "kubernetes"

    def _namespace(self, api: KubernetesApi, execution: Execution) -> str:
        from flytemp_worker.kubernetes_setup import policy_of

        return policy_of(self._settings).place(execution.project, execution.domain).namespace or api.namespace

    async def read(self, pod: TryPod, *, follow: bool) -> AsyncIterator[LogChunk]:
        """What the pod's container says: until now, or until its end. A pod that is gone says nothing; the store will."""
        from flytemp_activities.kubernetes.api import ApiError

        api = await self._connected()
        if api is None:
            return
        parameters = {"container": pod.container, **({"follow": "true"} if follow else {})}
        try:
            start = 0
            async for data in api.stream(pod.log_path, parameters):
                unseen = self._unseen(pod.key, start, data)
                start += len(data)
                if unseen is not None:
                    yield unseen
        except ApiError as error:
            if error.status in (401, 403):
                self._refuse(str(error))

    async def kept(self, handle: ExecutionHandle[Any], node: str | None, attempt: int | None) -> AsyncIterator[LogChunk]:
        """What the store has, and what pods that are over said, where it has that not yet. They are looked for first: one that
        is gone when it is to be read left its output in the store meanwhile."""
        pods = await self._over(handle, node, attempt)
        async for chunk in self.stored(handle.logs(node, attempt=attempt)):
            yield chunk
        left = [pod for pod in pods if pod.key not in self._stored]
        for pod in left:
            async for chunk in self.read(pod, follow=False):
                yield chunk
        if left:
            async for chunk in self.stored(handle.logs(node, attempt=attempt)):
                yield chunk

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
            self._note(f"output is shown once the store has it, as pods cannot be read: {why}")
        self._refused = True


def running_pods(description: WorkflowExecutionDescription) -> list[TryPod]:
    """The pods that the heartbeats of pending activities tell of."""
    found: list[TryPod] = []
    for pending in description.raw_description.pending_activities:
        path, _, numbers = pending.activity_id.partition("@")
        attempt, _, try_ = numbers.partition(".")
        if not (attempt.isdigit() and try_.isdigit()):
            continue
        told = last_heartbeat(pending)
        if told.get("phase") == "running" and "pod" in told and "namespace" in told:
            container = str(told.get("container") or "primary")
            found.append(TryPod((path, int(attempt), int(try_)), str(told["namespace"]), str(told["pod"]), container))
    return found


def _wanted(pods: list[TryPod], path: str | None, attempt: int | None) -> list[TryPod]:
    """Those of the node at ``path`` and of what is in it, and of the attempt, where these are given."""
    of_node = [pod for pod in pods if path is None or pod.key[0] == path or pod.key[0].startswith(f"{path}.")]
    return [pod for pod in of_node if attempt in (None, pod.key[1])]


async def pods_of(api: KubernetesApi, root: str, namespace: str) -> list[dict[str, Any]]:
    """The pods of the execution whose root it is.

    Raises:
        ApiError: they may not be listed.
    """
    from flytemp_activities.kubernetes import names

    parameters = {"labelSelector": f"{names.RUN}={names.run_label(root)}"}
    answer = await api.request("GET", f"/api/v1/namespaces/{namespace}/pods", parameters=parameters)
    found: list[dict[str, Any]] = answer["items"]
    return found


def try_pod(pod: dict[str, Any]) -> TryPod:
    """A try's pod by what it says about itself."""
    from flytemp_activities.kubernetes import names

    metadata = pod["metadata"]
    labels, told = metadata["labels"], metadata["annotations"]
    key = (told[names.PATH], int(labels[names.ATTEMPT]), int(labels[names.TRY]))
    return TryPod(key, metadata["namespace"], metadata["name"], told[names.PRIMARY])


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
            await self._stop()
            while not self._queue.empty():
                if (item := self._queue.get_nowait()) is not None:
                    yield item
            if self._logs.may_have_pods:
                async for chunk in self._logs.kept(self._handle, self._node, self._attempt):
                    yield chunk
        finally:
            await self._stop()

    async def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _follow_store(self) -> None:
        try:
            async for chunk in self._logs.stored(self._handle.logs(self._node, attempt=self._attempt, follow=True)):
                self._queue.put_nowait(chunk)
        finally:
            self._queue.put_nowait(None)

    async def _follow_pods(self) -> None:
        while True:
            for pod in await self._logs.running(self._handle, self._node, self._attempt):
                if pod.key not in self._followed:
                    self._followed.add(pod.key)
                    self._tasks.append(asyncio.create_task(self._follow_pod(pod)))
            await asyncio.sleep(LOOK_SECONDS)

    async def _follow_pod(self, pod: TryPod) -> None:
        async for chunk in self._logs.read(pod, follow=True):
            self._queue.put_nowait(chunk)


async def read_all(
    logs: PodLogs, handle: ExecutionHandle[Any], node: str | None, attempt: int | None
) -> AsyncIterator[LogChunk]:
    """All output until now: of what ended from the store, of what runs from its pods."""
    async for chunk in logs.kept(handle, node, attempt):
        yield chunk
    for pod in await logs.running(handle, node, attempt):
        async for chunk in logs.read(pod, follow=False):
            yield chunk
