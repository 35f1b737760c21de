"""Output of tasks in running pods, read from the Kubernetes API until the store has the complete output.

The heartbeat of a try's activity names its pod. A finished pod keeps its output until the worker has copied the output to
the store and deleted the pod; such pods are found by their labels. Without access to the cluster, only the logs in the
store are shown, with a note.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flytemp.client.execution_state import last_heartbeat
from flytemp.client.logs import LogChunk
from flytemp.client.retry import node_path
from flytemp.errors import ConfigError, FlytempError
from flytemp.layout import ExecutionLayout
from flytemp.names import attempt_of
from flytemp.temporal.workflows import describe_workflow

if TYPE_CHECKING:
    from temporalio.client import WorkflowExecutionDescription

    from flytemp.client.client import Client
    from flytemp.client.handle import ExecutionHandle
    from flytemp.config import Settings
    from flytemp.records.models import Execution
    from flytemp_activities.kubernetes.api import KubernetesApi

POLL_SECONDS = 1.0
"""Interval at which a follower looks for new pods."""

Key = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class TryPod:
    """Pod of a try."""

    key: Key
    namespace: str
    name: str
    container: str

    @property
    def log_path(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/pods/{self.name}/log"


class PodLogs:
    """Merges the output of pods with the output in the store. Every byte of a try's output is yielded once, in order."""

    def __init__(self, client: Client, settings: Settings, note: Callable[[str], None]) -> None:
        self._client = client
        self._settings = settings
        self._note = note
        self._api: KubernetesApi | None = None
        self._access_denied = False
        self._shown: dict[Key, int] = {}  # number of bytes already yielded per try
        self._stored: set[Key] = set()  # tries with output in the store

    async def close(self) -> None:
        if self._api is not None:
            await self._api.close()

    async def stored(self, chunks: AsyncIterator[LogChunk]) -> AsyncIterator[LogChunk]:
        """Yield the parts of the store's chunks that were not yielded before. ``chunks`` must begin with the first chunk."""
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
        """Return the part of ``data`` that was not yielded before; ``start`` is its offset in the try's output."""
        shown = self._shown.get(key, 0)
        rest = data[max(0, shown - start) :]
        self._shown[key] = max(shown, start + len(data))
        return LogChunk(*key, rest.decode("utf-8", "replace")) if rest else None

    async def running(self, handle: ExecutionHandle[Any], node: str | None, attempt: int | None) -> list[TryPod]:
        """Return the running pods of the execution, optionally of one node and attempt."""
        description = await describe_workflow(self._client.temporal, handle.workflow_id)
        found = [] if description is None else running_pods(description)
        path = node_path(await handle.describe(), node) if found and node is not None else None
        return _filtered(found, path, attempt)

    async def _finished(self, handle: ExecutionHandle[Any], node: str | None, attempt: int | None) -> list[TryPod]:
        """Return the execution's finished pods that were not deleted yet."""
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
            self._note(f"the last output may be missing, because finished pods cannot be listed: {error}")
            return []
        found = [try_pod(pod) for pod in pods if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")]
        return _filtered(found, path, attempt)

    @property
    def may_have_pods(self) -> bool:
        """True if a cluster is configured or pods were read before."""
        chosen = self._settings.kubernetes
        named = any((chosen.kubeconfig, chosen.context, chosen.namespace, chosen.policy))
        return self._api is not None or named or self._settings.worker.backend == "kubernetes"

    def _namespace(self, api: KubernetesApi, execution: Execution) -> str:
        from flytemp_worker.kubernetes_setup import policy_of

        return policy_of(self._settings).effective(execution.project, execution.domain).namespace or api.namespace

    async def read(self, pod: TryPod, *, follow: bool) -> AsyncIterator[LogChunk]:
        """Yield the output of a pod's container, with ``follow`` until it ends. A deleted pod yields nothing."""
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
                self._deny_access(str(error))

    async def finished_output(
        self, handle: ExecutionHandle[Any], node: str | None, attempt: int | None
    ) -> AsyncIterator[LogChunk]:
        """Yield the output in the store, and the output of finished pods that is not in the store yet.

        The pods are listed first. If a pod is deleted before it is read, its output is in the store by then.
        """
        pods = await self._finished(handle, node, attempt)
        async for chunk in self.stored(handle.logs(node, attempt=attempt)):
            yield chunk
        unsaved = [pod for pod in pods if pod.key not in self._stored]
        for pod in unsaved:
            async for chunk in self.read(pod, follow=False):
                yield chunk
        if unsaved:
            async for chunk in self.stored(handle.logs(node, attempt=attempt)):
                yield chunk

    async def _connected(self) -> KubernetesApi | None:
        if self._api is None and not self._access_denied:
            from flytemp_activities.kubernetes.api import KubernetesApi

            try:
                chosen = self._settings.kubernetes
                self._api = await KubernetesApi.connect(chosen.kubeconfig, chosen.context)
            except FlytempError as error:
                self._deny_access(str(error))
        return self._api

    def _deny_access(self, reason: str) -> None:
        if not self._access_denied:
            self._note(f"output is shown when it is in the store, because pods cannot be read: {reason}")
        self._access_denied = True


def running_pods(description: WorkflowExecutionDescription) -> list[TryPod]:
    """Return the pods named in the heartbeats of pending activities."""
    found: list[TryPod] = []
    for pending in description.raw_description.pending_activities:
        path, _, numbers = pending.activity_id.partition("@")
        attempt, _, try_ = numbers.partition(".")
        if not try_.isdigit():  # an activity of flytemp's own
            continue
        heartbeat = last_heartbeat(pending)
        if heartbeat.get("phase") == "running" and "pod" in heartbeat and "namespace" in heartbeat:
            container = str(heartbeat.get("container") or "primary")
            key = (path, attempt_of(attempt), int(try_))
            found.append(TryPod(key, str(heartbeat["namespace"]), str(heartbeat["pod"]), container))
    return found


def _filtered(pods: list[TryPod], path: str | None, attempt: int | None) -> list[TryPod]:
    """Return the pods of the node at ``path`` (and of the nodes inside it) and of the attempt; None selects all."""
    of_node = [pod for pod in pods if path is None or pod.key[0] == path or pod.key[0].startswith(f"{path}.")]
    return [pod for pod in of_node if attempt in (None, pod.key[1])]


async def pods_of(api: KubernetesApi, root: str, namespace: str) -> list[dict[str, Any]]:
    """Return the pods of the execution with the given root in the store.

    Raises:
        ApiError: the pods cannot be listed.
    """
    from flytemp_activities.kubernetes import names

    parameters = {"labelSelector": f"{names.RUN}={names.run_label(root)}"}
    answer = await api.request("GET", f"/api/v1/namespaces/{namespace}/pods", parameters=parameters)
    found: list[dict[str, Any]] = answer["items"]
    return found


def try_pod(pod: dict[str, Any]) -> TryPod:
    """Return the try's pod from the labels and annotations of a pod manifest."""
    from flytemp_activities.kubernetes import names

    metadata = pod["metadata"]
    labels, annotations = metadata["labels"], metadata["annotations"]
    key = (annotations[names.PATH], int(labels[names.ATTEMPT]), int(labels[names.TRY]))
    return TryPod(key, metadata["namespace"], metadata["name"], annotations[names.PRIMARY])


class Follower:
    """Follower of the store and all running pods until the execution finishes."""

    def __init__(self, logs: PodLogs, handle: ExecutionHandle[Any], node: str | None, attempt: int | None) -> None:
        self._logs = logs
        self._handle = handle
        self._node = node
        self._attempt = attempt
        self._queue: asyncio.Queue[LogChunk | None] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._followed: set[Key] = set()

    async def chunks(self) -> AsyncIterator[LogChunk]:
        """Yield chunks as they arrive.

        Raises:
            NotFound: the execution or node does not exist.
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
                async for chunk in self._logs.finished_output(self._handle, self._node, self._attempt):
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
            await asyncio.sleep(POLL_SECONDS)

    async def _follow_pod(self, pod: TryPod) -> None:
        async for chunk in self._logs.read(pod, follow=True):
            self._queue.put_nowait(chunk)


async def read_all(
    logs: PodLogs, handle: ExecutionHandle[Any], node: str | None, attempt: int | None
) -> AsyncIterator[LogChunk]:
    """Yield all output so far: of finished tries from the store, of running tries from their pods."""
    async for chunk in logs.finished_output(handle, node, attempt):
        yield chunk
    for pod in await logs.running(handle, node, attempt):
        async for chunk in logs.read(pod, follow=False):
            yield chunk
