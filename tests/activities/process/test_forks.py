"""A forked child that returns from the task's function does not return the task's result."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from flytemp.spec.models import TaskSettings
from flytemp.spec.tasks import Reuse
from tests.activities.process.conftest import Bench
from tests.sdk.runtime.project import Project

PROGRAM = """
    import os, sys
    from flytemp import task

    @task
    def fork(child_does: str) -> int:
        child = os.fork()
        if child:
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if child_does == "raise":
            raise ValueError("in the child")
        if child_does == "exit":
            sys.exit(4)
        return 99

    @task
    def pid() -> int:
        return os.getpid()
"""


@pytest.mark.parametrize("reuse", ["imports", "process"])
@pytest.mark.parametrize(("child_does", "code"), [("return", 0), ("raise", 1), ("exit", 4)])
async def test_only_the_parent_returns_the_result(
    make_project: Callable[[str], Project], bench: Bench, child_does: str, code: int, reuse: Reuse
) -> None:
    program = make_project(PROGRAM)
    settings = TaskSettings(reuse=reuse)
    result = await bench.run(program.invocation("fork", {"child_does": child_does}, settings=settings))
    assert (result.error, result.outputs) == (None, {"o0": code})
    first = await bench.run(program.invocation("pid", node="n1", settings=settings))
    second = await bench.run(program.invocation("pid", node="n2", settings=settings))
    assert (first.outputs == second.outputs) == (reuse == "process")
