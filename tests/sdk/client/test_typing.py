"""A type checker sees what a launch takes and gives: wrong code must not pass it."""

from __future__ import annotations

import re
from pathlib import Path

from mypy import api

SNIPPET = """
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
    await client.launch(wf, x="a")  # E: call-overload
    await client.launch(wf, z=1)  # E: call-overload
    await client.launch("name", x=1)  # E: call-overload
    await client.launch("name", inputs={"x": 1}, nam="n")  # E: call-overload
    await client.named("n").launch(wf, x="a")  # E: arg-type
    sync.launch(wf, x="a")  # E: call-overload
    wrong: int = await good.result()  # E: assignment
"""


def test_launches_are_checked(tmp_path: Path) -> None:
    file = tmp_path / "service.py"
    file.write_text(SNIPPET)
    cache = Path(__file__).parents[3] / ".mypy_cache" / "snippets"
    output, errors, _ = api.run(
        ["--strict", "--no-error-summary", "--follow-imports=silent", "--cache-dir", str(cache), "--no-pretty", str(file)]
    )

    assert not errors
    found = {(int(line), code) for line, code in re.findall(r"service\.py:(\d+): error: .*\[([a-z-]+)\]", output)}
    lines = enumerate(SNIPPET.splitlines(), 1)
    expected = {(number, line.partition("# E: ")[2]) for number, line in lines if "# E: " in line}
    assert found == expected, output
