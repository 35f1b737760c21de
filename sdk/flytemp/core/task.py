"""Where flytekit has `task`."""

from flytemp.authoring.task import task as task
from flytemp.authoring.unsupported import reference_task as reference_task
