"""Names of the Temporal task queues of a deployment.

The interpreter and its control activities share the deployment's task queue. Task activities have a queue of their own for the
default workers, and one for each pool of workers.
"""

from __future__ import annotations


def deployment_of(task_queue: str, pool: str | None) -> str:
    """Return the name under which the workers of a pool, or the default workers for None, publish limits and label pods."""
    return tasks_queue(task_queue, pool) if pool else task_queue


def tasks_queue(task_queue: str, pool: str | None = None) -> str:
    """Return the queue of the task activities of a pool, or of the default workers for None."""
    return f"{pool_queue_prefix(task_queue)}{pool}" if pool else f"{task_queue}-tasks"


def pool_queue_prefix(task_queue: str) -> str:
    """Return the name of the queue of a pool's task activities without the pool's name."""
    return f"{task_queue}-tasks-"
