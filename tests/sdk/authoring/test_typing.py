"""A type checker sees tasks and workflows with the user's own signatures: wrong code must not pass it."""

from __future__ import annotations

import re
from pathlib import Path

from mypy import api

SNIPPET = """
from flytemp import LaunchPlan, Resources, Task, Workflow, task, workflow


@task
def plain(x: int, y: str = "") -> float:
    return float(x)


@task(retries=3, resources=Resources(cpu=1))
def configured(x: int) -> str:
    return str(x)


@task
async def waiting(x: int) -> int:
    return x


@workflow
def wf(x: int) -> str:
    plain(x=x, y="")
    return configured(x=x)


@workflow(interruptible=True)
def other(x: int) -> float:
    wf(x=x)
    return plain(x)


good_task: Task[..., float] = plain
good_workflow: Workflow[[int], str] = wf
text: str = wf(1)
plan: LaunchPlan[str] = LaunchPlan.get_or_create(wf, name="p", default_inputs={"x": 1}, max_parallelism=3)
result: str = plan(x=3)


async def use() -> int:
    return await waiting(x=1)


plain("1")  # E: arg-type
plain(x=1, z=2)  # E: call-arg
plain()  # E: call-arg
number: int = configured(x=1)  # E: assignment
wf(x="1")  # E: arg-type
wrong: float = wf(x=1)  # E: assignment
task(foo=3)  # E: call-overload
task(retries="3")  # E: call-overload
workflow(interruptible="yes")  # E: call-overload
LaunchPlan.get_or_create(plain, name="q")  # E: arg-type
"""


def test_wrong_calls_do_not_pass_mypy(tmp_path: Path) -> None:
    file = tmp_path / "snippet.py"
    file.write_text(SNIPPET)
    cache = Path(__file__).parents[3] / ".mypy_cache" / "snippets"
    out, problems, _ = api.run(
        ["--strict", "--no-error-summary", "--follow-imports=silent", "--cache-dir", str(cache), "--no-pretty", str(file)]
    )
    assert problems == ""
    found = {(int(line), code) for line, code in re.findall(r"snippet\.py:(\d+): error: .*\[([a-z-]+)\]", out)}
    marked = enumerate(SNIPPET.splitlines(), 1)
    assert found == {(number, line.split("# E: ")[1]) for number, line in marked if "# E: " in line}, out
