"""Where flytekit has `PythonFunctionTask`."""

from flytemp.authoring.task import PythonFunctionTask as PythonFunctionTask
