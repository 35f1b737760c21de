"""kill -9 loses nothing: workers are killed at random moments of a DAG, the server in the middle of a run."""

from __future__ import annotations

import json
import os
import random
import signal
from collections import Counter
from pathlib import Path

import pytest

from flytemp.layout import ExecutionLayout
from flytemp.records.models import Execution, Phase
from flytemp.runtime.host import is_alive
from tests.e2e.programs import write_program
from tests.installation import DEADLINE_SECONDS, Installation, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.durability, pytest.mark.timeout(900)]

NODES = 80
LONG_NODES, LONG_KILLS = 200, 20

DAG = """
import os
import subprocess
import sys
import time
from pathlib import Path

from flytemp import task, workflow


def started(pid: str) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


@task
def step(folder: str, name: str, a: int, b: int) -> int:
    mine = Path(folder) / name
    mine.mkdir(parents=True, exist_ok=True)
    for other in mine.iterdir():
        pid, _, since = other.name.partition("-")
        if int(pid) != os.getpid() and Path(f"/proc/{pid}").exists() and started(pid) == since:
            (Path(folder) / f"overlap-{name}").touch()
    (mine / f"{os.getpid()}-{started(str(os.getpid()))}").touch()
    if b % 10 == 0:
        # A child of the task's own, in a session of its own: it must not outlive the worker either.
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(0.2)"], start_new_session=True)
        (Path(folder) / f"child-{child.pid}").touch()
        child.wait()
    time.sleep(0.05)
    return (a + 2 * b + 1) % 1009


@workflow
def dag(folder: str) -> int:
    values = [step(folder=folder, name="s0", a=1, b=2), step(folder=folder, name="s1", a=2, b=3)]
    for index in range(2, NODES):
        values.append(step(folder=folder, name=f"s{index}", a=values[index - 2], b=values[index // 2]))
    return values[-1]
"""


def program(nodes: int) -> str:
    """Return the source of a workflow of ``nodes`` tasks."""
    return DAG.replace("NODES", str(nodes))


def expected(nodes: int) -> int:
    """Return the output of the workflow of `program`."""

    def step(a: int, b: int) -> int:
        return (a + 2 * b + 1) % 1009

    values = [step(1, 2), step(2, 3)]
    for index in range(2, nodes):
        values.append(step(values[index - 2], values[index // 2]))
    return values[-1]


class Progress:
    """Progress of the execution, read from the files that its tasks wrote."""

    def __init__(self, folder: Path, results: Path, nodes: int = NODES) -> None:
        self.folder = folder
        self._nodes = nodes
        self._results = results

    def results(self) -> int:
        return len(list(self._results.glob("*/*/nodes/*/*/result.json")))

    def is_at_work_at(self, goal: int) -> bool:
        """Return True when tasks run and ``goal`` nodes have results, or when all nodes have."""
        done = self.results()
        return done == self._nodes or (done >= goal and len(self.alive()) > 0)

    def alive(self) -> list[str]:
        """Return the task processes, and children of tasks, that are alive."""
        tries = [file.name for node in self.folder.glob("s*") for file in node.iterdir()]
        alive = [name for name in tries if is_alive(int(name.partition("-")[0]), name.partition("-")[2])]
        children = [int(file.name.removeprefix("child-")) for file in self.folder.glob("child-*")]
        return alive + [f"child {pid}" for pid in children if Path(f"/proc/{pid}").exists() and _is_python(pid)]


def _is_python(pid: int) -> bool:
    try:
        return b"time.sleep(0.2)" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


def execution_of(installation: Installation, name: str) -> Execution:
    return Execution.model_validate_json(installation.flytemp("get", "execution", name, "-o", "json").stdout)


@pytest.mark.parametrize(
    ("nodes", "kills"),
    [pytest.param(NODES, 4, id="short"), pytest.param(LONG_NODES, LONG_KILLS, id="long", marks=pytest.mark.long)],
)
def test_workers_killed_at_random_moments(fresh_installation: Installation, tmp_path: Path, nodes: int, kills: int) -> None:
    installation = fresh_installation
    folder = tmp_path / "tries"
    folder.mkdir()
    source = write_program(tmp_path / "project", program(nodes), "dag")
    installation.flytemp("register", str(source.parent))
    installation.flytemp("launch", "dag", "--folder", str(folder), "--name", "killed")
    progress = Progress(folder, installation.store / "executions" / "default", nodes)
    chance = random.Random(0)

    for _ in range(kills):
        worker = installation.start_worker({"FLYTEMP_WORKER_MAX_SYSTEM_TRIES": "50"})
        before, more = progress.results(), chance.randint(0, nodes // kills // 2)
        eventually(lambda goal=before + more: progress.is_at_work_at(goal), "progress")
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
        eventually(lambda: not progress.alive(), "every task process dies with its worker")
    installation.start_worker({"FLYTEMP_WORKER_MAX_SYSTEM_TRIES": "50"})
    eventually(lambda: progress.results() == nodes, "every node has a result", 300)
    eventually(lambda: execution_of(installation, "killed").phase.is_final, "the execution ends")

    execution = execution_of(installation, "killed")
    assert execution.phase is Phase.SUCCEEDED, execution.error
    assert execution.outputs == {"o0": expected(nodes)}
    assert not list(folder.glob("overlap-*")), "two tries of a task were alive together"
    assert {node.attempts for node in execution.nodes} == {1}, "a lost try cost one of the user's retries"
    _check_store(installation, execution)


def _check_store(installation: Installation, execution: Execution) -> None:
    """Check that each attempt has one result, and each try at most one claim."""
    layout = ExecutionLayout(execution.namespace, execution.workflow_id, execution.run_id)
    nodes = installation.store / layout.root / "nodes"
    results = Counter(path.parent.parent.name for path in nodes.glob("*/*/result.json"))
    claims = Counter(path.parent.parent.parent.name for path in nodes.glob("*/*/*/claim.json"))
    assert results == Counter({node.id: 1 for node in execution.nodes})
    lost = 0
    for node in execution.nodes:
        tries = node.attempt_history[-1].tries
        lost += tries - 1
        assert 1 <= claims[node.id] <= tries, f"{node.id}: {claims[node.id]} claims, {tries} tries"
        for claim in nodes.glob(f"{node.id}/1/*/claim.json"):
            assert json.loads(claim.read_text())["pid"] > 0
    assert lost > 0, "no worker was killed while it ran a task: the test proves nothing"


def test_the_server_restarts_in_the_middle(fresh_installation: Installation, tmp_path: Path) -> None:
    installation = fresh_installation
    folder = tmp_path / "tries"
    folder.mkdir()
    source = write_program(tmp_path / "project", program(NODES), "dag")
    installation.flytemp("register", str(source.parent))
    installation.start_worker()
    installation.flytemp("launch", "dag", "--folder", str(folder), "--name", "restarted")
    progress = Progress(folder, installation.store / "executions" / "default")
    eventually(lambda: progress.results() >= 20, "progress before the restart")

    installation.server.kill()
    eventually(lambda: not progress.alive(), "the running tasks end without the server")
    installation.server.restart()

    eventually(lambda: progress.results() == NODES, "every node has a result", 300)
    finished = installation.flytemp("get", "execution", "restarted", "-o", "json")
    eventually(lambda: execution_of(installation, "restarted").phase.is_final, "the execution ends")
    execution = execution_of(installation, "restarted")
    assert finished.returncode == 0
    assert execution.phase is Phase.SUCCEEDED, execution.error
    assert execution.outputs == {"o0": expected(NODES)}
    assert not list(folder.glob("overlap-*"))


def test_a_worker_drains_on_term(fresh_installation: Installation, tmp_path: Path) -> None:
    installation = fresh_installation
    folder = tmp_path / "held"
    source = write_program(tmp_path / "project")
    installation.flytemp("register", str(source.parent))
    worker = installation.start_worker({"FLYTEMP_WORKER_DRAIN_SECONDS": "60"})
    installation.flytemp("launch", "waiting_for", "--folder", str(folder), "--name", "drained")
    eventually(lambda: (folder / "starts").exists(), "the task starts")

    worker.send_signal(signal.SIGTERM)
    (folder / "go").touch()

    assert worker.wait(DEADLINE_SECONDS) == 0
    installation.start_worker()
    eventually(lambda: execution_of(installation, "drained").phase is Phase.SUCCEEDED, "the next worker finishes it")
    assert (folder / "starts").read_text().splitlines() == ["held"], "draining let the task end, so it ran once"


def test_a_task_that_outlasts_the_drain_is_started_again_at_the_platforms_cost(
    fresh_installation: Installation, tmp_path: Path
) -> None:
    installation = fresh_installation
    folder = tmp_path / "held"
    source = write_program(tmp_path / "project")
    installation.flytemp("register", str(source.parent))
    worker = installation.start_worker({"FLYTEMP_WORKER_DRAIN_SECONDS": "0.5", "FLYTEMP_WORKER_GRACE_SECONDS": "0.5"})
    installation.flytemp("launch", "waiting_for", "--folder", str(folder), "--name", "outlasts")
    eventually(lambda: (folder / "starts").exists(), "the task starts")

    worker.send_signal(signal.SIGTERM)
    assert worker.wait(DEADLINE_SECONDS) == 0
    installation.start_worker()
    eventually(lambda: len((folder / "starts").read_text().splitlines()) == 2, "the next worker starts it again")
    (folder / "go").touch()

    eventually(lambda: execution_of(installation, "outlasts").phase is Phase.SUCCEEDED, "it succeeds")
    held = next(node for node in execution_of(installation, "outlasts").nodes if node.id == "n3")
    assert (held.attempts, held.attempt_history[-1].tries) == (1, 2)
