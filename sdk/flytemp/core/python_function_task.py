"""flytekit's module of `PythonFunctionTask`."""

from typing import TYPE_CHECKING

from flytemp.authoring.task import PythonFunctionTask as PythonFunctionTask
from flytemp.porting.finder import other_names

if not TYPE_CHECKING:
    __getattr__ = other_names(__name__)
