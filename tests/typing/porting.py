"""Names under flytekit's import paths as a type checker sees them; see `authoring.py`."""

from __future__ import annotations

import flytemp.core.task
from flytemp.core.base_task import TaskMetadata
from flytemp.core.task import task
from flytemp.exceptions.user import FlyteRecoverableException
from flytemp.extras.tasks.shell import subproc_execute
from flytemp.types.file import CSVFile


@task
def double(x: int) -> int:
    return 2 * x


number: int = double(x=3)
text: str = double(x=3)  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
output: str = subproc_execute(["true"]).output
error: Exception = FlyteRecoverableException("again")
metadata = TaskMetadata(retries=2)
file: CSVFile = CSVFile("data.csv")

_ = flytemp.core.task.nothing  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
