"""Temporal workflow behind the janitor's schedule: runs the activity that sweeps a Kubernetes cluster."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue, RetryPolicy

from flytemp.protocol.activities import SWEEP_PODS, SweepPodsArgument
from flytemp.protocol.workflow import JANITOR_WORKFLOW_TYPE
from flytemp_worker.workflow.received import NO_INPUT, refused_input, workflow_input

SWEEP_TIMEOUT = timedelta(minutes=10)

MAX_QUEUE_CHARACTERS = 1_000
"""Temporal's limit of the length of names."""


@workflow.defn(name=JANITOR_WORKFLOW_TYPE, sandboxed=False)
class FlytempJanitor:
    """Started by a Temporal schedule. The command ``flytemp janitor`` does the same on demand."""

    @workflow.run
    async def run(self, task_queue: RawValue = NO_INPUT) -> list[dict[str, str]]:
        """Sweep on a worker of ``task_queue``, the name of a task queue. Return the pods that were removed."""
        queue = workflow_input(task_queue)
        if not isinstance(queue, str) or not 0 < len(queue) <= MAX_QUEUE_CHARACTERS:
            raise refused_input("the argument of the janitor must be the name of a task queue")
        swept: Any = await workflow.execute_activity(
            SWEEP_PODS.name,
            SweepPodsArgument().to_json(),
            task_queue=queue,
            schedule_to_start_timeout=SWEEP_TIMEOUT,
            start_to_close_timeout=SWEEP_TIMEOUT,
            retry_policy=RetryPolicy(maximum_attempts=3),
        )
        return SWEEP_PODS.read_result(swept).pods
