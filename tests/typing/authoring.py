"""Calls of tasks, workflows and launch plans as a type checker sees them.

mypy and basedpyright check this file in `just types`. A line with an ignore comment is wrong code: both checkers fail
when it is accepted. Nothing here is run."""

from __future__ import annotations

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


plain("1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
plain(x=1, z=2)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
plain()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
number: int = configured(x=1)  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
wf(x="1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
wrong: float = wf(x=1)  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
task(foo=3)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
task(retries="3")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
workflow(interruptible="yes")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
LaunchPlan.get_or_create(plain, name="q")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
