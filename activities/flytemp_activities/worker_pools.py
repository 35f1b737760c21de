"""Pools of workers, as seen by the resolution of a launch."""

from __future__ import annotations

from collections.abc import Iterable

from temporalio import activity
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client as TemporalClient
from temporalio.service import RPCError

from flytemp.protocol.workflow import ExecutionSettings


async def pool_warnings(temporal: TemporalClient, pools: Iterable[str], settings: ExecutionSettings) -> list[str]:
    """Return a warning for each pool that no worker serves at the moment. Tasks of such a pool wait for a worker."""
    return [
        f"no worker of the pool {pool} is running: start one with `flytemp worker --pool {pool}`"
        for pool in sorted(pools)
        if not await _has_worker(temporal, settings.task_queue_of(pool))
    ]


async def _has_worker(temporal: TemporalClient, task_queue: str) -> bool:
    request = DescribeTaskQueueRequest(
        namespace=temporal.namespace,
        task_queue=TaskQueue(name=task_queue),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
    )
    try:
        return bool((await temporal.workflow_service.describe_task_queue(request)).pollers)
    except RPCError as error:  # a namespace may not let a worker describe task queues
        activity.logger.warning("cannot describe the task queue %s: %s", task_queue, error.message)
        return True
