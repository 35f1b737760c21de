"""flytekit's module of `PythonTask` and `TaskMetadata`."""

from flytemp.authoring.overrides import TaskMetadata as TaskMetadata
from flytemp.authoring.task import PythonTask as PythonTask
from flytemp.authoring.task import Task as Task
