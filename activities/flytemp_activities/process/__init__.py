"""Process backend: tasks run in Python processes on the worker's machine, and end with their worker."""

from flytemp_activities.process.backend import ProcessBackend
from flytemp_activities.process.options import ProcessOptions, new_worker_id

__all__ = ["ProcessBackend", "ProcessOptions", "new_worker_id"]
