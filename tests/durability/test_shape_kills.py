"""kill -9 of workers while an execution of every shape runs, in small chunks: the result is the same as without kills."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path

import pytest

from flytemp.records.models import Execution, Phase
from tests.e2e.programs import write_program
from tests.installation import DEADLINE_SECONDS, Installation, eventually
from tests.sizes import short_and_long

pytestmark = [pytest.mark.e2e, pytest.mark.durability, pytest.mark.timeout(900)]

ITEMS, WIDE = 24, 12

PROGRAM = f"""
import functools
import os
import time
from datetime import timedelta
from pathlib import Path
from typing import List, Optional

from flytemp import FlyteError, LaunchPlan, approve, conditional, dynamic, map_task, sleep, task, workflow


def alone(folder: str, name: str) -> None:
    mine = Path(folder) / name
    mine.mkdir(parents=True, exist_ok=True)
    for other in mine.iterdir():
        command = Path(f"/proc/{{other.name}}/cmdline")
        if other.name != str(os.getpid()) and command.exists() and b"flytemp" in command.read_bytes():
            (Path(folder) / f"overlap-{{name}}").touch()
    (mine / str(os.getpid())).touch()
    time.sleep(0.05)
    (mine / str(os.getpid())).unlink()


@task
def step(folder: str, name: str, x: int) -> int:
    alone(folder, f"{{name}}-{{x}}")
    return x + 1


@task
def numbers(n: int) -> List[int]:
    return list(range(n))


@task
def total(xs: List[int]) -> int:
    return sum(xs)


@task
def brittle(folder: str, x: int) -> int:
    alone(folder, f"brittle-{{x}}")
    if x % 4 == 0:
        raise ValueError("a multiple of four")
    return x


@task
def present(xs: List[Optional[int]]) -> int:
    return sum(x for x in xs if x is not None)


@task
def sweep(folder: str, err: Optional[FlyteError] = None) -> None:
    alone(folder, "sweep")


@workflow
def two(folder: str, x: int) -> int:
    return step(folder=folder, name="second", x=step(folder=folder, name="first", x=x))


@dynamic
def tree(folder: str, depth: int, where: str) -> int:
    if depth == 0:
        return step(folder=folder, name=f"leaf{{where}}", x=0)
    return total(xs=[tree(folder=folder, depth=depth - 1, where=f"{{where}}-{{side}}") for side in range(2)])


@dynamic
def wide(folder: str, n: int) -> int:
    return total(xs=[step(folder=folder, name=f"wide{{i}}", x=i) for i in range(n)])


child = LaunchPlan.get_or_create(two, name="kills-two")


@workflow(on_failure=sweep)
def all_shapes(folder: str) -> int:
    xs = numbers(n={ITEMS})
    mapped = total(xs=map_task(functools.partial(step, folder=folder, name="item"))(x=xs))
    grouped = present(xs=map_task(functools.partial(brittle, folder=folder), min_success_ratio=0.5, items_per_task=5)(x=xs))
    nested = total(xs=map_task(functools.partial(two, folder=folder), concurrency=3)(x=numbers(n=6)))
    grown = total(xs=[tree(folder=folder, depth=2, where=""), wide(folder=folder, n={WIDE})])
    launched = total(xs=[child(folder=folder, x=100), child(folder=folder, x=200)])
    chosen = (
        conditional("which").if_(mapped > 0).then(two(folder=folder, x=mapped)).else_().fail("never")
    )
    approved = approve(chosen, "go on", timeout=timedelta(hours=1))
    waited = sleep(timedelta(seconds=1))
    result = total(xs=[approved, grouped, nested, grown, launched])
    waited >> result
    return result
"""


def expected() -> int:
    mapped = sum(x + 1 for x in range(ITEMS))
    grouped = sum(x for x in range(ITEMS) if x % 4)
    nested = sum(x + 2 for x in range(6))
    grown = 4 + sum(i + 1 for i in range(WIDE))
    return (mapped + 2) + grouped + nested + grown + (102 + 202)


@pytest.mark.parametrize("kills", short_and_long(4, 12))
def test_workers_killed_during_every_shape(fresh_installation: Installation, tmp_path: Path, kills: int) -> None:
    installation = fresh_installation
    folder = tmp_path / "tries"
    folder.mkdir()
    source = write_program(tmp_path / "project", PROGRAM, "every_shape")
    installation.flytemp("register", str(source.parent))
    installation.flytemp("launch", "all_shapes", "--folder", str(folder), "--name", "shapes")
    small = {
        "FLYTEMP_WORKER_MAX_SYSTEM_TRIES": "50",
        "FLYTEMP_WORKER_MAX_MAP_ITEMS": "8",
        "FLYTEMP_WORKER_CONTINUE_AS_NEW_EVENTS": "60",
        "FLYTEMP_WORKER_CONTINUE_AS_NEW_DRAIN_SECONDS": "0.2",
    }
    chance = random.Random(1)

    def results() -> int:
        return len(list((installation.store / "executions" / "default").glob("*/*/nodes/*/*/result.json")))

    def is_over() -> bool:
        return any((installation.store / "executions" / "default").glob("shapes-*/*/record.json"))

    def now() -> Execution:
        return Execution.model_validate_json(installation.flytemp("get", "execution", "shapes", "-o", "json").stdout)

    for kill in range(kills):
        worker = installation.start_worker(small)
        goal = results() + chance.randint(1, 6)
        eventually(lambda goal=goal: results() >= goal or is_over(), "progress")
        if kill == 1:
            installation.flytemp("approve", "shapes", "go on")  # long before the run reaches it
        signal.sigtimedwait([], chance.random() / 2)
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
    installation.start_worker(small)
    eventually(is_over, "the execution ends", 3 * DEADLINE_SECONDS)
    eventually(lambda: now().phase.is_final, "the workflow ends")

    execution = now()
    assert execution.phase is Phase.SUCCEEDED, execution.error
    assert execution.outputs == {"o0": expected()}
    assert not list(folder.glob("overlap-*")), "two tries of a task were alive together"
    succeeded = [node for node in execution.nodes if node.phase is Phase.SUCCEEDED]
    assert {node.attempts for node in succeeded} == {1}, "a lost try cost one of the user's retries"
