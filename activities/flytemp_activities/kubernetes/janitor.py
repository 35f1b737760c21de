"""Janitor: deletes pods that no worker deletes, such as those of terminated executions and of workers that crashed.

Workers delete their own pods. The janitor reads every pod of the deployment, and decides by Temporal and the store whether the
pod is still needed. A pod in doubt is not deleted.
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
"""Age below which a pod is not deleted: the worker that created it may still follow it."""

FINISHED_SECONDS = 600.0
"""Time after which a finished pod that is not kept is deleted in any case: a worker would have deleted it before."""

_PAGE = 500

logger = logging.getLogger("flytemp.kubernetes")


@dataclass(frozen=True, slots=True)
class RemovalCandidate:
    """A pod to delete, and the reason."""

    namespace: str
    name: str
    uid: str
    execution: str
    node: str
    reason: str


class Janitor:
    """Janitor of one deployment in one cluster: the pods of the workers of one task queue."""

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
        """Run `sweep` as an activity."""
        return RemovedPods([asdict(one) for one in await self.sweep()])

    async def sweep(self, *, dry_run: bool = False) -> list[RemovalCandidate]:
        """Delete the pods that no worker will delete, and return them.

        Args:
            dry_run: return the pods without deleting them.

        Raises:
            ApiError: pods cannot be listed or deleted.
        """
        candidates: list[RemovalCandidate] = []
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
            candidates.append(one)
            try:
                if not dry_run:
                    await self._remove(pod, one)
            except ApiError as error:  # the others are deleted nevertheless
                logger.warning("pod %s/%s could not be deleted: %s", one.namespace, one.name, error)
                refusal = refusal or error
        if refusal is not None:
            raise refusal
        return candidates

    async def _remove(self, pod: Pod, one: RemovalCandidate) -> None:
        """Keep the output of the pod and delete the pod, by force if its node does not answer."""
        await self._keep_output(pod)
        await self._pods.delete(one.namespace, one.name, one.uid, 0 if is_stuck(pod, self._policy) else None)
        logger.info("pod %s/%s of execution %s is deleted: %s", one.namespace, one.name, one.execution, one.reason)

    async def _keep_output(self, pod: Pod) -> None:
        metadata = pod["metadata"]
        labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
        if (pod.get("status") or {}).get("phase") == "Pending" or metadata.get("deletionTimestamp"):
            return
        try:
            output = await self._pods.log(metadata["namespace"], metadata["name"], annotations[names.PRIMARY])
            attempt, try_ = labels[names.ATTEMPT], int(labels[names.TRY])
            root, path = annotations[names.ROOT], annotations[names.PATH]
            await asyncio.to_thread(write_output, self._store, root, path, attempt, try_, output)
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
        """Return the reason to delete the pod, or None."""
        metadata = pod["metadata"]
        annotations = metadata.get("annotations") or {}
        root = annotations.get(names.ROOT)
        if not root or _age(metadata["creationTimestamp"]) < YOUNG_SECONDS:
            return None
        if metadata.get("deletionTimestamp"):
            is_left = is_stuck(pod, self._policy) and await self._is_open(root) is False
            return "it was deleted, its node does not answer, and its execution has finished" if is_left else None
        has_ended = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
        if has_ended and (self._is_kept(pod) or _age(_ended_at(pod)) < YOUNG_SECONDS):
            return self._finished(pod)
        if root not in open_roots:
            open_roots[root] = await self._is_open(root)
        if open_roots[root] is False:
            return "its execution has finished"
        if open_roots[root] and await asyncio.to_thread(self._is_settled, pod, root, annotations.get(names.PATH, "")):
            return "its try has an outcome"
        return self._finished(pod) if has_ended else None

    def _is_kept(self, pod: Pod) -> bool:
        keep = self._policy.keep_pods
        return keep == "always" or (keep == "failed" and pod["status"]["phase"] == "Failed")

    def _finished(self, pod: Pod) -> str | None:
        age = _age(_ended_at(pod))
        if self._is_kept(pod):
            hours = self._policy.keep_hours
            return f"it was kept for {hours:g} hours" if age > hours * 3600 else None
        return "it has ended, and no worker deleted it" if age > FINISHED_SECONDS else None

    async def _is_open(self, root: str) -> bool | None:
        """Return whether a run of the execution is open; None if that is unknown."""
        try:
            data = await asyncio.to_thread(self._store.read_or_none, RootLayout(root).execution)
            context = ExecutionContext.model_validate_json(data) if data is not None else None
        except (FlytempError, ValidationError) as error:
            logger.warning("the execution at %s cannot be read, its pods are not deleted: %s", root, error)
            return None
        if context is None:
            return None
        try:
            description = await self._temporal.get_workflow_handle(context.workflow_id).describe()
        except RPCError as error:
            return False if error.status == RPCStatusCode.NOT_FOUND else None
        if description.status is not WorkflowExecutionStatus.RUNNING:
            return False
        # A later execution may have the same workflow id. A retried execution has runs with other ids and the same first one.
        return first_run_id(description) == root.rpartition("/")[2] or None

    def _is_settled(self, pod: Pod, root: str, node: str) -> bool:
        """Return whether the try has an outcome: a result of its attempt, or an error of its own."""
        labels = pod["metadata"].get("labels") or {}
        layout = RootLayout(root)
        try:
            attempt, try_ = labels[names.ATTEMPT], int(labels[names.TRY])
            return self._store.exists(layout.result(node, attempt)) or self._store.exists(layout.try_error(node, attempt, try_))
        except (KeyError, ValueError, FlytempError) as error:
            logger.warning("pod %s is not deleted, its try cannot be read: %s", pod["metadata"]["name"], error)
            return False


def is_stuck(pod: Pod, policy: Policy) -> bool:
    """Return whether the pod should be gone by now, which means that its node does not answer."""
    gone_by = pod["metadata"].get("deletionTimestamp")
    return bool(gone_by) and _age(gone_by) > policy.pending_timeouts.deleting


def _age(at: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(at.replace("Z", "+00:00"))).total_seconds()


def _ended_at(pod: Pod) -> str:
    """Return the end of the last container; the creation of the pod if no end is known."""
    states = [(status.get("state") or {}) for status in (pod["status"].get("containerStatuses") or ())]
    ends = [str(at) for state in states if (at := (state.get("terminated") or {}).get("finishedAt"))]
    return max(ends, default=str(pod["metadata"]["creationTimestamp"]))
