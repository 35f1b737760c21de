"""Kubernetes backend: runs each try as a pod, and finds the pod again after a crash of the worker."""

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
"""Maximum time for which a stopping worker waits for outputs and deletions. The janitor finishes the rest."""

logger = logging.getLogger("flytemp.kubernetes")


@dataclass(frozen=True, slots=True)
class KubernetesOptions:
    """Connection to the cluster, and the operator's policy. None: the connection that kubectl uses."""

    task_queue: str
    kubeconfig: str | None = None
    context: str | None = None
    policy: Policy = field(default_factory=lambda: Policy())


class KubernetesBackend:
    """Backend that runs tasks as pods of one cluster. Call `start` first and `close` last, on the event loop that calls `run`.

    Args:
        store: the object store of the deployment.
        options: how to reach the cluster.
        lookup: look-up of a result before a try starts, or None.
    """

    def __init__(self, store: ObjectStore, options: KubernetesOptions, lookup: ResultLookup | None = None) -> None:
        self._store = store
        self._lookup = lookup
        self._options = options
        self._tries: dict[TryKey, PodAttempt] = {}
        self._api: KubernetesApi | None = None
        self._watch: PodWatch | None = None
        self._context: KubernetesContext | None = None

    async def start(self) -> None:
        """Connect, publish the platform's limits, and start the watch of this deployment's pods.

        Raises:
            ConfigError, NotSupported, KubernetesUnavailable: the cluster cannot be used.
            StoreError: the limits cannot be stored.
        """
        options = self._options
        self._api = api = await connected(await KubernetesApi.connect(options.kubeconfig, options.context))
        pods, policy = Pods(api), options.policy
        await asyncio.to_thread(publish_limits, self._store, options.task_queue, policy.platform_limits())
        namespace = policy.watched_namespace(api.namespace)
        self._watch = watch = PodWatch(api, names.selector(options.task_queue), namespace)
        watch.start()
        creations = Creations()
        self._context = KubernetesContext(
            store=self._store, pods=pods, watch=watch, templates=Templates(pods), policy=policy, creations=creations,
            cleanup=Cleanup(self._store, pods, policy, creations), namespace=api.namespace, task_queue=options.task_queue,
            lookup=self._lookup,
        )  # fmt: skip

    def janitor(self, temporal: TemporalClient) -> Janitor:
        """Return the janitor of this backend's cluster."""
        assert self._api is not None, "the Kubernetes backend was not started"
        return Janitor(self._api, self._store, temporal, self._options.policy, self._options.task_queue)

    async def close(self) -> None:
        """Stop following all pods. They continue, and the next worker finds them."""
        for attempt in list(self._tries.values()):
            attempt.detach()
        if self._tries:
            await asyncio.wait([attempt.task for attempt in self._tries.values()])
        if self._context is not None:
            await self._context.cleanup.close(CLOSE_SECONDS)
        if self._watch is not None:
            await self._watch.close()
        if self._api is not None:
            await self._api.close()

    async def run(
        self, invocation: Invocation, *, resumed: bool, report: Report, before: HeartbeatDetails | None = None
    ) -> TaskResult:
        """Return the result of a try; see `Backend.run`.

        Args:
            invocation: the try.
            resumed: True if the try may have been started before.
            report: receives ``phase`` ("queued", "starting", "running"), ``pod``, ``uid``, ``node``, and while the pod waits
                ``reason`` and ``message``.
            before: last report of an earlier activity of this try.

        Raises:
            TaskLost: the pod is gone, and there is no result.
            SystemFailure: the platform failed.
        """
        assert self._context is not None, "the Kubernetes backend was not started"
        key, seen_uid = key_of(invocation), (before or {}).get("uid")
        while True:
            attempt = self._tries.get(key) or self._add(key, PodAttempt(self._context, invocation, resumed, seen_uid))
            attempt.subscribe(report)
            try:
                return await asyncio.shield(attempt.task)
            except NotStarted:  # an early start, which was not possible at once
                resumed = True
            finally:
                attempt.unsubscribe(report)

    async def start_early(self, invocation: Invocation, *, deadline: float) -> bool:
        """Create the try's pod by one request alone. A pod that would wait for quota is left to its activity."""
        assert self._context is not None, "the Kubernetes backend was not started"
        key = key_of(invocation)
        if key in self._tries:
            return True
        attempt = self._add(key, PodAttempt(self._context, invocation, early_deadline=deadline))
        try:
            waiting: list[asyncio.Future[Any]] = [attempt.task, attempt.started]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            if not attempt.has_subscribers:
                self._detach(key, attempt)
            raise
        error = attempt.task.exception() if attempt.task.done() and not attempt.task.cancelled() else None
        return error.is_ambiguous if isinstance(error, NotStarted) else True

    def release(self, invocation_key: TryKey) -> None:
        """Stop following the try's pod, unless a `run` waits for it here."""
        attempt = self._tries.get(invocation_key)
        if attempt is not None and not attempt.has_activity:
            self._detach(invocation_key, attempt)

    def _detach(self, key: TryKey, attempt: PodAttempt) -> None:
        """Forget the attempt at once, so that a `run` of the same try begins a new attempt."""
        self._forget(key, attempt)
        attempt.detach()

    def _add(self, key: TryKey, attempt: PodAttempt) -> PodAttempt:
        self._tries[key] = attempt
        attempt.task.add_done_callback(lambda task: self._on_done(key, attempt))
        return attempt

    def _on_done(self, key: TryKey, attempt: PodAttempt) -> None:
        self._forget(key, attempt)
        task = attempt.task
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.info("node %s, attempt %d, try %d ended without a result: %s", key.node, key.attempt, key.try_, error)

    def _forget(self, key: TryKey, attempt: PodAttempt) -> None:
        if self._tries.get(key) is attempt:
            del self._tries[key]

    async def kill(self, invocation_key: TryKey) -> None:
        """Delete the try's pod with its grace period; return when the pod is gone."""
        attempt = self._tries.get(invocation_key)
        if attempt is not None:
            await attempt.kill("the task was ended on request")

    def running(self) -> Set[TryKey]:
        """Return the tries whose pods this worker follows; see `Backend.running`."""
        return self._tries.keys()
