"""Where flytekit has `PythonTask`."""

from flytemp.authoring.task import PythonTask as PythonTask
from flytemp.authoring.task import Task as Task
