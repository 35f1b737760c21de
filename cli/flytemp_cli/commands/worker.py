"""`flytemp worker`."""

from __future__ import annotations

import click

from flytemp_cli.lazy_imports import Command
from flytemp_cli.session import Session, pass_session


@click.command("worker", cls=Command)
@click.option("--task-queue", metavar="NAME", help="Temporal task queue to poll [default: flytemp]")
@click.option("--pool", metavar="NAME", help="Run only the tasks of this pool of workers")
@click.option("--slots", type=click.IntRange(min=1), metavar="N", help="Number of tasks at once [default: one per CPU]")
@click.option("--metrics-address", metavar="HOST:PORT", help="Address that serves Prometheus metrics and health")
@pass_session
def command(
    session: Session, task_queue: str | None, pool: str | None, slots: int | None, metrics_address: str | None
) -> int:
    """Run a worker for the configured Temporal and store.

    TERM or Ctrl-C drains the worker: it takes no new work, and running tasks finish. Killing a worker loses no work,
    because another worker continues it. A worker of a pool runs only the tasks that name the pool; launches and all other tasks
    need a worker without a pool.

    \b
    Example:
      flytemp worker --profile prod --store s3://bucket/flytemp --slots 8
      flytemp worker --profile prod --store s3://bucket/flytemp --pool gpu
    """
    from flytemp_worker.serve import run_worker

    flags = {
        "task_queue": task_queue,
        "worker.pool": pool,
        "worker.slots": slots,
        "worker.metrics_address": metrics_address,
    }
    return run_worker(session.settings({name: str(value) for name, value in flags.items() if value is not None}))
