"""flytekit's module of `task`."""

from typing import TYPE_CHECKING

from flytemp.authoring.echo import Echo as Echo
from flytemp.authoring.reference import ReferenceTask as ReferenceTask
from flytemp.authoring.reference import reference_task as reference_task
from flytemp.authoring.task import task as task
from flytemp.authoring.unsupported import eager as eager
from flytemp.porting.finder import other_names

if not TYPE_CHECKING:
    __getattr__ = other_names(__name__)
