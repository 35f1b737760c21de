"""The workflow behind the janitor's schedule: one activity, which sweeps a cluster for pods that nobody looks after."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

SWEEP = "flytemp.sweep_pods"
SWEEP_TIMEOUT = timedelta(minutes=10)


@workflow.defn(name="FlytempJanitor", sandboxed=False)
class FlytempJanitor:
    """Started by a Temporal schedule; ``flytemp janitor`` does the same by hand."""

    @workflow.run
    async def run(self, task_queue: str) -> list[dict[str, str]]:
        """Sweep, on a worker of ``task_queue``; what was removed."""
        removed: list[dict[str, str]] = await workflow.execute_activity(
            SWEEP,
            task_queue=task_queue,
            start_to_close_timeout=SWEEP_TIMEOUT,
            retry_policy=RetryPolicy(maximum_attempts=3),
            result_type=list[dict[str, str]],
        )
        return removed
