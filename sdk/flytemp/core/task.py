"""flytekit's module of `task`."""

from flytemp.authoring.reference import reference_task as reference_task
from flytemp.authoring.task import task as task
