"""Removes pods that nobody looks after any more: of terminated executions, and of workers that died at a bad moment.

Workers remove their pods themselves. What they cannot is left to this: it looks at every pod of the deployment, and asks Temporal
and the store whether anybody still wants it. In doubt a pod stays.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from pydantic import ValidationError
from temporalio.client import Client as TemporalClient
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from flytemp.errors import FlytempError
from flytemp.layout import RootLayout
from flytemp.protocol.activities import SWEEP_PODS, RemovedPods, SweepPodsArgument
from flytemp.records.launch import ExecutionContext
from flytemp.store.object_store import ObjectStore
from flytemp.temporal.workflows import first_run_id
from flytemp_activities.definitions import implements
from flytemp_activities.kubernetes import names
from flytemp_activities.kubernetes.api import ApiError, KubernetesApi
from flytemp_activities.kubernetes.cleanup import write_output
from flytemp_activities.kubernetes.pods import Pod, Pods
from flytemp_activities.kubernetes.policy import Policy

YOUNG_SECONDS = 60.0
"""A pod younger than this is left alone: the worker that made it may still be busy with it."""

FINISHED_SECONDS = 600.0
"""A finished pod that is not to be kept is removed after so long, whatever became of its try: a worker would have done it."""

_PAGE = 500

logger = logging.getLogger("flytemp.kubernetes")


@dataclass(frozen=True, slots=True)
class RemovalCandidate:
    """A pod to remove, and why."""

    namespace: str
    name: str
    uid: str
    execution: str
    node: str
    reason: str


class Janitor:
    """Sweeps one cluster for one deployment: the pods of a task queue's workers."""

    def __init__(
        self, api: KubernetesApi, store: ObjectStore, temporal: TemporalClient, policy: Policy, task_queue: str
    ) -> None:
        self._api = api
        self._pods = Pods(api)
        self._store = store
        self._temporal = temporal
        self._policy = policy
        self._selector = names.selector(task_queue)

    @implements(SWEEP_PODS)
    async def sweep_pods(self, argument: SweepPodsArgument) -> RemovedPods:
        """Remove the pods that no workflow or worker needs. Return them."""
        return RemovedPods([asdict(one) for one in await self.sweep()])

    async def sweep(self, *, dry_run: bool = False) -> list[RemovalCandidate]:
        """The pods that nobody looks after, removed unless it is only a rehearsal.

        Raises:
            ApiError: pods may not be listed or deleted.
        """
        doomed: list[RemovalCandidate] = []
        refusal: ApiError | None = None
        open_roots: dict[str, bool | None] = {}
        for pod in await self._all():
            reason = await self._reason(pod, open_roots)
            if reason is None:
                continue
            metadata = pod["metadata"]
            labels = metadata.get("labels") or {}
            one = RemovalCandidate(
                metadata["namespace"], metadata["name"], metadata["uid"], labels.get("flytemp.dev/execution", ""),
                (metadata.get("annotations") or {}).get(names.PATH, ""), reason,
            )  # fmt: skip
            doomed.append(one)
            try:
                if not dry_run:
                    await self._remove(pod, one)
            except ApiError as error:  # the others are removed all the same
                logger.warning("pod %s/%s could not be removed: %s", one.namespace, one.name, error)
                refusal = refusal or error
        if refusal is not None:
            raise refusal
        return doomed

    async def _remove(self, pod: Pod, one: RemovalCandidate) -> None:
        """Keep what it said and delete it; by force, where its node does not."""
        await self._keep_output(pod)
        await self._pods.delete(one.namespace, one.name, one.uid, 0 if is_stuck(pod, self._policy) else None)
        logger.info("pod %s/%s of execution %s is removed: %s", one.namespace, one.name, one.execution, one.reason)

    async def _keep_output(self, pod: Pod) -> None:
        metadata = pod["metadata"]
        labels, told = metadata.get("labels") or {}, metadata.get("annotations") or {}
        if (pod.get("status") or {}).get("phase") == "Pending" or metadata.get("deletionTimestamp"):
            return
        try:
            output = await self._pods.log(metadata["namespace"], metadata["name"], told[names.PRIMARY])
            attempt, try_ = labels[names.ATTEMPT], int(labels[names.TRY])
            await asyncio.to_thread(write_output, self._store, told[names.ROOT], told[names.PATH], attempt, try_, output)
        except (ApiError, FlytempError, KeyError, ValueError) as error:
            logger.info("the output of pod %s is not kept: %s", metadata["name"], error)

    async def _all(self) -> list[Pod]:
        namespace = self._policy.watched_namespace(self._api.namespace)
        path = f"/api/v1/namespaces/{namespace}/pods" if namespace else "/api/v1/pods"
        parameters = {"labelSelector": self._selector, "limit": str(_PAGE)}
        found: list[Pod] = []
        while True:
            page = await self._api.request("GET", path, parameters=parameters)
            found += page["items"]
            if not page["metadata"].get("continue"):
                return found
            parameters["continue"] = page["metadata"]["continue"]

    async def _reason(self, pod: Pod, open_roots: dict[str, bool | None]) -> str | None:
        """Why the pod is to go, or None."""
        metadata = pod["metadata"]
        told = metadata.get("annotations") or {}
        root = told.get(names.ROOT)
        if not root or _age(metadata["creationTimestamp"]) < YOUNG_SECONDS:
            return None
        if metadata.get("deletionTimestamp"):
            is_left = is_stuck(pod, self._policy) and await self._is_open(root) is False
            return "it was deleted, its node does not answer, and its execution is over" if is_left else None
        has_ended = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
        if has_ended and (self._is_kept(pod) or _age(_ended_at(pod)) < YOUNG_SECONDS):
            return self._finished(pod)
        if root not in open_roots:
            open_roots[root] = await self._is_open(root)
        if open_roots[root] is False:
            return "its execution is over"
        if open_roots[root] and await asyncio.to_thread(self._is_settled, pod, root, told.get(names.PATH, "")):
            return "its try is over"
        return self._finished(pod) if has_ended else None

    def _is_kept(self, pod: Pod) -> bool:
        keep = self._policy.keep_pods
        return keep == "always" or (keep == "failed" and pod["status"]["phase"] == "Failed")

    def _finished(self, pod: Pod) -> str | None:
        age = _age(_ended_at(pod))
        if self._is_kept(pod):
            hours = self._policy.keep_hours
            return f"it was kept for {hours:g} hours" if age > hours * 3600 else None
        return "it has ended, and no worker removed it" if age > FINISHED_SECONDS else None

    async def _is_open(self, root: str) -> bool | None:
        """Whether a run of the execution is open; None when nobody knows."""
        try:
            data = await asyncio.to_thread(self._store.read_or_none, RootLayout(root).execution)
            context = ExecutionContext.model_validate_json(data) if data is not None else None
        except (FlytempError, ValidationError) as error:
            logger.warning("the execution at %s cannot be read, its pods stay: %s", root, error)
            return None
        if context is None:
            return None
        try:
            description = await self._temporal.get_workflow_handle(context.workflow_id).describe()
        except RPCError as error:
            return False if error.status == RPCStatusCode.NOT_FOUND else None
        if description.status is not WorkflowExecutionStatus.RUNNING:
            return False
        # A later execution may have the same workflow id; one that was tried again goes on under another run's id.
        return first_run_id(description) == root.rpartition("/")[2] or None

    def _is_settled(self, pod: Pod, root: str, node: str) -> bool:
        """Whether the try has its verdict already: a result of its attempt, or why it was lost."""
        labels = pod["metadata"].get("labels") or {}
        layout = RootLayout(root)
        try:
            attempt, try_ = labels[names.ATTEMPT], int(labels[names.TRY])
            return self._store.exists(layout.result(node, attempt)) or self._store.exists(layout.try_error(node, attempt, try_))
        except (KeyError, ValueError, FlytempError) as error:
            logger.warning("pod %s cannot be judged and stays: %s", pod["metadata"]["name"], error)
            return False


def is_stuck(pod: Pod, policy: Policy) -> bool:
    """It was to be gone by now, and its node does not see to it."""
    gone_by = pod["metadata"].get("deletionTimestamp")
    return bool(gone_by) and _age(gone_by) > policy.waits.deleting


def _age(at: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(at.replace("Z", "+00:00"))).total_seconds()


def _ended_at(pod: Pod) -> str:
    """When its last container ended; when it was created, where that is not told."""
    states = [(status.get("state") or {}) for status in (pod["status"].get("containerStatuses") or ())]
    ends = [str(at) for state in states if (at := (state.get("terminated") or {}).get("finishedAt"))]
    return max(ends, default=str(pod["metadata"]["creationTimestamp"]))
