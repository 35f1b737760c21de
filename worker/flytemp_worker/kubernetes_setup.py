"""Setup of a worker that starts pods: the backend with the operator's policy, and the janitor's schedule."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from temporalio.client import Client as TemporalClient
from temporalio.client import (
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
)
from temporalio.service import RPCError

from flytemp.config import Settings
from flytemp.errors import ConfigError
from flytemp.protocol.workflow import JANITOR_WORKFLOW_TYPE
from flytemp.store.object_store import ObjectStore
from flytemp.task_queues import deployment_of, tasks_queue
from flytemp_activities.backend import Backend

if TYPE_CHECKING:
    from flytemp_activities.kubernetes import Policy

SWEEP_EVERY = timedelta(minutes=5)

logger = logging.getLogger("flytemp.worker")


def backend(settings: Settings, store: ObjectStore) -> Backend:
    """Return the backend that starts pods, with the operator's policy.

    Raises:
        ConfigError: the policy is invalid.
    """
    from flytemp_activities.kubernetes import KubernetesBackend, KubernetesOptions

    chosen = settings.kubernetes
    if store.uri.startswith("file://"):
        logger.warning("the store %s is a folder: pods can only read it if a volume mounts it at the same path", store.uri)
    options = KubernetesOptions(
        task_queue=deployment_of(settings.task_queue, settings.worker.pool),
        kubeconfig=chosen.kubeconfig,
        context=chosen.context,
        policy=policy_of(settings),
    )
    return KubernetesBackend(store, options)


def policy_of(settings: Settings) -> Policy:
    """Return the operator's policy. Settings of the worker take precedence over the policy file.

    Raises:
        ConfigError: the policy is invalid.
    """
    from flytemp_activities.kubernetes import read_policy

    chosen = settings.kubernetes
    policy = read_policy(chosen.policy)
    named = {name: value for name in ("namespace", "image") if (value := getattr(chosen, name)) is not None}
    try:
        return policy.model_validate({**policy.model_dump(), **named})
    except ValueError as error:
        hint = "use a namespace name; it may contain {project} and {domain}"
        raise ConfigError(f"kubernetes.namespace is invalid: {chosen.namespace!r}", hint=hint) from error


async def sweeping(backend: Backend, temporal: TemporalClient, settings: Settings) -> Sequence[Callable[..., Any]]:
    """Schedule the janitor of the backend's cluster and return its activity; return nothing for another backend."""
    from flytemp_activities.kubernetes import KubernetesBackend

    if not isinstance(backend, KubernetesBackend):
        return ()
    await _schedule(temporal, settings)
    return (backend.janitor(temporal).sweep_pods,)


async def _schedule(temporal: TemporalClient, settings: Settings) -> None:
    """Create the schedule of this deployment's janitor if it is missing. A refusal is logged, as the worker works without it."""
    pool = settings.worker.pool
    name = f"flytemp-janitor-{deployment_of(settings.task_queue, pool)}"
    queue = tasks_queue(settings.task_queue, pool)
    action = ScheduleActionStartWorkflow(JANITOR_WORKFLOW_TYPE, queue, id=name, task_queue=settings.task_queue)
    schedule = Schedule(
        action=action,
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=SWEEP_EVERY)]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=SWEEP_EVERY),
    )
    try:
        await temporal.create_schedule(name, schedule)
    except ScheduleAlreadyRunningError:
        return
    except RPCError as error:
        logger.warning("the janitor has no schedule (%s): run `flytemp janitor` from a CronJob instead", error)
