"""The Kubernetes backend: runs each try as a pod, and finds it again after every crash."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Set
from dataclasses import dataclass, field
from typing import Any

from temporalio.client import Client as TemporalClient

from flytemp.registry.platform_limits import publish_limits
from flytemp.runtime.invocation import Invocation, TaskResult
from flytemp.store.object_store import ObjectStore
from flytemp_activities.backend import HeartbeatDetails, Report, TryKey, key_of
from flytemp_activities.kubernetes import names
from flytemp_activities.kubernetes.api import KubernetesApi, connected
from flytemp_activities.kubernetes.cleanup import Cleanup
from flytemp_activities.kubernetes.context import KubernetesContext
from flytemp_activities.kubernetes.creation import Creations, NotStarted
from flytemp_activities.kubernetes.janitor import Janitor
from flytemp_activities.kubernetes.pod_attempt import PodAttempt
from flytemp_activities.kubernetes.pods import Pods, Templates
from flytemp_activities.kubernetes.policy import Policy
from flytemp_activities.kubernetes.watch import PodWatch
from flytemp_activities.result_lookup import ResultLookup

CLOSE_SECONDS = 20.0
"""A worker that ends waits so long for outputs to be kept and pods to be removed; the janitor does the rest."""

logger = logging.getLogger("flytemp.kubernetes")


@dataclass(frozen=True, slots=True)
class KubernetesOptions:
    """How to reach the cluster, and what its operator lays down. None: as kubectl does."""

    task_queue: str
    kubeconfig: str | None = None
    context: str | None = None
    policy: Policy = field(default_factory=lambda: Policy())


class KubernetesBackend:
    """Backend that runs tasks as pods of one cluster. Call `start` first and `close` last, on the event loop that calls `run`.

    Args:
        store: the object store of the deployment.
        options: how to reach the cluster.
        lookup: is asked for a result before a try starts, if given.
    """

    def __init__(self, store: ObjectStore, options: KubernetesOptions, lookup: ResultLookup | None = None) -> None:
        self._store = store
        self._lookup = lookup
        self._options = options
        self._tries: dict[TryKey, PodAttempt] = {}
        self._api: KubernetesApi | None = None
        self._watch: PodWatch | None = None
        self._yard: KubernetesContext | None = None

    async def start(self) -> None:
        """Connect, leave word of the platform's limits, and begin to watch the pods of this deployment.

        Raises:
            ConfigError, NotSupported, KubernetesUnavailable: there is no cluster to work with.
            StoreError: the store refused.
        """
        options = self._options
        self._api = api = await connected(await KubernetesApi.connect(options.kubeconfig, options.context))
        pods, policy = Pods(api), options.policy
        await asyncio.to_thread(publish_limits, self._store, options.task_queue, policy.platform_limits())
        namespace = policy.watched_namespace(api.namespace)
        self._watch = watch = PodWatch(api, names.selector(options.task_queue), namespace)
        watch.start()
        creations = Creations()
        self._yard = KubernetesContext(
            store=self._store, pods=pods, watch=watch, templates=Templates(pods), policy=policy, creations=creations,
            tidying=Cleanup(self._store, pods, policy, creations), namespace=api.namespace, task_queue=options.task_queue,
            lookup=self._lookup,
        )  # fmt: skip

    def janitor(self, temporal: TemporalClient) -> Janitor:
        """What removes the pods that nobody looks after, in this backend's cluster."""
        assert self._api is not None, "the Kubernetes backend was not started"
        return Janitor(self._api, self._store, temporal, self._options.policy, self._options.task_queue)

    async def close(self) -> None:
        """Let go of all pods. They go on, and the next worker finds them."""
        for one in list(self._tries.values()):
            one.detach()
        if self._tries:
            await asyncio.wait([one.task for one in self._tries.values()])
        if self._yard is not None:
            await self._yard.tidying.close(CLOSE_SECONDS)
        if self._watch is not None:
            await self._watch.close()
        if self._api is not None:
            await self._api.close()

    async def run(
        self, invocation: Invocation, *, resumed: bool, report: Report, before: HeartbeatDetails | None = None
    ) -> TaskResult:
        """The result of a try: of a new pod, or, if ``resumed``, of the one that may have been created before.

        Cancelling the caller only detaches it; the pod goes on, and a later ``run`` of the same try joins it.

        Args:
            report: is told, at every change: ``phase`` ("queued", "starting", "running"), ``pod``, ``uid``, ``node``, and while
                it waits ``reason`` and ``message``.
            before: what was reported last, when an earlier activity of this try did.

        Raises:
            TaskLost: the pod was there, is gone, and there is no result.
            SystemFailure: what runs tasks failed.
        """
        assert self._yard is not None, "the Kubernetes backend was not started"
        key, seen_uid = key_of(invocation), (before or {}).get("uid")
        while True:
            one = self._tries.get(key) or self._begin(key, PodAttempt(self._yard, invocation, resumed, seen_uid))
            one.subscribe(report)
            try:
                return await asyncio.shield(one.task)
            except NotStarted:  # an early start, which was not possible at once
                resumed = True
            finally:
                one.unsubscribe(report)

    async def start_early(self, invocation: Invocation, *, deadline: float) -> bool:
        """Create the try's pod by one request alone. A pod that would wait for quota is left to its activity."""
        assert self._yard is not None, "the Kubernetes backend was not started"
        key = key_of(invocation)
        if key in self._tries:
            return True
        one = self._begin(key, PodAttempt(self._yard, invocation, early_deadline=deadline))
        try:
            waiting: list[asyncio.Future[Any]] = [one.task, one.begun]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            if not one.is_joined:
                self._detach(key, one)
            raise
        error = one.task.exception() if one.task.done() and not one.task.cancelled() else None
        return error.is_unclear if isinstance(error, NotStarted) else True

    def release(self, invocation_key: TryKey) -> None:
        """Stop following the try's pod, unless a `run` waits for it here."""
        one = self._tries.get(invocation_key)
        if one is not None and not one.has_activity:
            self._detach(invocation_key, one)

    def _detach(self, key: TryKey, one: PodAttempt) -> None:
        """Forget the attempt at once, so that a `run` of the same try begins a new attempt."""
        self._forget(key, one)
        one.detach()

    def _begin(self, key: TryKey, one: PodAttempt) -> PodAttempt:
        self._tries[key] = one
        one.task.add_done_callback(lambda task: self._over(key, one))
        return one

    def _over(self, key: TryKey, one: PodAttempt) -> None:
        self._forget(key, one)
        task = one.task
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.info("node %s, attempt %d, try %d ended without a result: %s", *key[1:], error)

    def _forget(self, key: TryKey, one: PodAttempt) -> None:
        if self._tries.get(key) is one:
            del self._tries[key]

    async def kill(self, invocation_key: TryKey) -> None:
        """Delete the try's pod with its grace; returns when it is gone."""
        one = self._tries.get(invocation_key)
        if one is not None:
            await one.kill("the task was ended on request")

    def running(self) -> Set[TryKey]:
        """The tries whose pods this worker follows; see `Backend.running`."""
        return self._tries.keys()
