"""Launches and results as a type checker sees them; see `authoring.py` beside this file."""

from __future__ import annotations

from flytemp import LaunchPlan, task, workflow
from flytemp.client import Client, ExecutionHandle, LaunchOptions, SyncClient


@task
def one(x: int) -> str:
    return str(x)


@workflow
def wf(x: int, y: str = "") -> str:
    return one(x=x)


plan = LaunchPlan.get_or_create(wf, name="p", default_inputs={"x": 1})


async def use(client: Client, sync: SyncClient) -> None:
    good: ExecutionHandle[str] = await client.launch(wf, x=1)
    text: str = await good.result()
    await client.launch(wf, 1, y="b")
    await client.launch(one, x=1)
    await client.launch("name", inputs={"x": 1}, name="n")
    await client.launch(wf, inputs={"x": 1}, name="n", options=LaunchOptions(max_parallelism=1))
    by_plan: ExecutionHandle[str] = await client.launch(plan, inputs={"x": 1})
    named: ExecutionHandle[str] = await client.named("n").launch(wf, x=1)
    other: str = sync.launch(wf, x=1).result()
    await client.launch(wf, x="a")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    await client.launch(wf, z=1)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    await client.launch("name", x=1)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
    await client.launch("name", inputs={"x": 1}, nam="n")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
    await client.named("n").launch(wf, x="a")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    sync.launch(wf, x="a")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    wrong: int = await good.result()  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
