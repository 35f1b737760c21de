"""Look-up of results before tries start, on a real server with real task processes."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from flytemp.records.models import Phase
from flytemp_activities.process import ProcessBackend, ProcessOptions
from flytemp_worker.devserver import DevServer
from tests.activities.known_results import KnownResults
from tests.worker.serving import connect, serving

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


PROGRAM = """
    from pathlib import Path
    from flytemp import task, workflow

    @task
    def add_one(folder: str, x: int) -> int:
        Path(folder, str(x)).touch()
        return x + 1

    @workflow
    def chain(folder: str) -> int:
        first = add_one(folder=folder, x=1)
        second = add_one(folder=folder, x=first)
        return add_one(folder=folder, x=second)
"""


async def test_found_result_is_the_tasks_result_and_its_status_is_recorded(server: DevServer, tmp_path: Path) -> None:
    client = await connect(server, tmp_path, [])
    options = ProcessOptions(state_dir=tmp_path / "state", slots=1, scratch_folder=tmp_path / "scratch")
    backend = ProcessBackend(client.store, options, "worker", KnownResults({"n1": 41}))
    ran = tmp_path / "ran"
    ran.mkdir()
    program = tmp_path / "project" / "program.py"
    program.parent.mkdir()
    program.write_text(textwrap.dedent(PROGRAM))
    await client.register(program)
    await backend.start()
    try:
        async with serving(client, backend):
            handle = await client.launch("program.chain", inputs={"folder": str(ran)})
            execution = await handle.wait(60)
    finally:
        await backend.close()
        await client.close()
    assert (execution.phase, execution.outputs) == (Phase.SUCCEEDED, {"o0": 42})
    assert [(node.id, node.lookup) for node in execution.nodes] == [("n0", "miss"), ("n1", "hit"), ("n2", "miss")]
    assert sorted(path.name for path in ran.iterdir()) == ["1", "41"], "the second task did not run"
