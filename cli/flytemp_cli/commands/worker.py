"""`flytemp worker`."""

from __future__ import annotations

import click

from flytemp_cli.lazy_imports import Command
from flytemp_cli.options import Session, pass_session


@click.command("worker", cls=Command)
@click.option("--task-queue", metavar="NAME", help="The Temporal task queue to poll [default: flytemp]")
@click.option("--slots", type=click.IntRange(min=1), metavar="N", help="Tasks at once [default: one per CPU]")
@click.option("--metrics-address", metavar="HOST:PORT", help="Where Prometheus metrics and health are served")
@pass_session
def command(session: Session, task_queue: str | None, slots: int | None, metrics_address: str | None) -> int:
    """Run a worker for the configured Temporal and store.

    TERM or Ctrl-C drains it: it takes no new work and lets running tasks end. Killing it loses nothing, another
    worker takes its work up.

    \b
    Example:
      flytemp worker --profile prod --store s3://bucket/flytemp --slots 8
    """
    from flytemp_worker.serve import run_worker

    flags = {"task_queue": task_queue, "worker.slots": slots, "worker.metrics_address": metrics_address}
    return run_worker(session.settings({name: str(value) for name, value in flags.items() if value is not None}))
