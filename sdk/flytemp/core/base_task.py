"""flytekit's module of `PythonTask` and `TaskMetadata`."""

from typing import TYPE_CHECKING

from flytemp.authoring.interface import kwtypes as kwtypes
from flytemp.authoring.overrides import TaskMetadata as TaskMetadata
from flytemp.authoring.task import PythonTask as PythonTask
from flytemp.authoring.task import Task as Task
from flytemp.porting.finder import other_names


class IgnoreOutputs(Exception):
    """Exception of flytekit's plug-ins for the processes of a distributed task whose outputs do not count."""


if not TYPE_CHECKING:
    __getattr__ = other_names(__name__)
