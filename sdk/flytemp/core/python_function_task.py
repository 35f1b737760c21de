"""flytekit's module of `PythonFunctionTask`."""

from flytemp.authoring.task import PythonFunctionTask as PythonFunctionTask
