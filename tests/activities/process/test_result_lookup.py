"""Look-up of a result before a try starts in a process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from flytemp.runtime.commit import read_claim, read_result
from flytemp.store.object_store import ObjectStore
from tests.activities.known_results import KnownResults
from tests.activities.process.conftest import StartBackend
from tests.sdk.runtime.project import Project

PROGRAM = """
    from pathlib import Path
    from flytemp import task

    @task
    def write(path: str) -> int:
        Path(path).write_text("ran")
        return 3
"""


@pytest.fixture
def program(make_project: Callable[[str], Project]) -> Project:
    return make_project(PROGRAM)


async def test_process_does_not_start_if_the_look_up_finds_a_result(
    start_backend: StartBackend, program: Project, store: ObjectStore, tmp_path: Path
) -> None:
    bench = await start_backend(lookup=KnownResults({"n0": 9}))
    invocation = program.invocation("write", {"path": str(tmp_path / "ran")})
    result = await bench.run(invocation)
    assert (result.outputs, result.lookup) == ({"o0": 9}, "hit")
    assert not (tmp_path / "ran").exists()
    assert read_claim(store, invocation) is None
    assert read_result(store, invocation) == result, "consumers read it as the result of the attempt"


@pytest.mark.parametrize("resumed", [True, False])
async def test_process_starts_if_the_look_up_finds_nothing(
    start_backend: StartBackend, program: Project, tmp_path: Path, resumed: bool
) -> None:
    bench = await start_backend(lookup=KnownResults({}))
    result = await bench.run(program.invocation("write", {"path": str(tmp_path / "ran")}), resumed=resumed)
    assert (result.outputs, result.lookup) == ({"o0": 3}, "miss")
    assert (tmp_path / "ran").exists()


async def test_attempt_with_a_result_is_not_looked_up(start_backend: StartBackend, program: Project, tmp_path: Path) -> None:
    first, lookup = await start_backend(), KnownResults({"n0": 9})
    invocation = program.invocation("write", {"path": str(tmp_path / "ran")})
    assert (await first.run(invocation)).outputs == {"o0": 3}
    second = await start_backend("other", lookup=lookup)
    assert (await second.run(invocation, resumed=True)).outputs == {"o0": 3}
    assert lookup.asked == []
