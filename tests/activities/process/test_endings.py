"""Crashes, time-outs and stops: their outcomes, and the end of all processes of a task."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from flytemp.runtime.commit import commit_result, read_result, read_try_error
from flytemp.runtime.invocation import TaskResult
from flytemp.spec.models import TaskSettings
from flytemp_activities.backend import SystemFailure, TaskLost, key_of
from flytemp_activities.process.child import Exit
from flytemp_activities.process.crashes import OomCounter, crash_error
from flytemp_activities.process.processes import end_all
from tests.activities.process.conftest import Bench, StartBackend
from tests.activities.process.wait_for import alive, until, until_written
from tests.sdk.runtime.project import Project

MakeProject = Callable[[str], Project]

PROGRAM = """
    import ctypes, os, signal, subprocess, sys, threading
    from flytemp import task

    def spawn(path):
        script = os.path.join(os.path.dirname(__file__), "family.py")
        return subprocess.Popen([sys.executable, script, path])

    @task
    def family(path: str) -> int:
        spawn(path).wait()
        return 1

    @task
    def family_then_crash(path: str) -> int:
        spawn(path)
        while not os.path.exists(path):
            threading.Event().wait(0.01)
        os._exit(7)

    @task
    def segfault() -> int:
        print("before the crash", flush=True)
        ctypes.string_at(0)
        return 1

    @task
    def leave(code: int) -> int:
        os._exit(code)

    @task
    def abort() -> int:
        os.abort()

    @task
    def forever(path: str) -> int:
        with open(path, "w") as file:
            file.write(f"{os.getpid()}\\n")
        threading.Event().wait()
        return 1

    @task
    def deaf(path: str) -> int:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        with open(path, "w") as file:
            file.write(f"{os.getpid()}\\n")
        while True:
            threading.Event().wait()

    @task
    def polite(path: str, bye: str) -> int:
        def leave(number, frame):
            with open(bye, "w") as file:
                file.write("cleaned up\\n")
            sys.exit(1)
        signal.signal(signal.SIGTERM, leave)
        with open(path, "w") as file:
            file.write(f"{os.getpid()}\\n")
        threading.Event().wait()
        return 1

    @task
    def pid() -> int:
        return os.getpid()
"""


FAMILY = """
    import os, subprocess, sys

    child = subprocess.Popen(["sleep", "1000"])
    # One that leaves group and session, one that even drops its environment, one that ignores TERM.
    away = subprocess.Popen(["setsid", "sleep", "1000"])
    bare = subprocess.Popen(["sleep", "1000"], env={}, start_new_session=True)
    deaf = subprocess.Popen(["sh", "-c", "trap '' TERM; while :; do sleep 1000 & wait; done"])
    with open(sys.argv[1] + ".part", "w") as file:
        file.write(f"{child.pid} {away.pid} {bare.pid} {deaf.pid} {os.getpid()} {os.getppid()}\\n")
    os.rename(sys.argv[1] + ".part", sys.argv[1])
    child.wait()
"""


@pytest.fixture
def program(make_project: MakeProject) -> Project:
    project = make_project(PROGRAM)
    project.write(FAMILY, "family.py")
    return project


async def pids_in(path: Path) -> list[int]:
    return [int(pid) for pid in (await until_written(path)).split()]


@pytest.mark.parametrize(
    ("task", "inputs", "code", "detail"),
    [
        ("segfault", {}, "Crashed", "signal 11"),
        ("abort", {}, "Crashed", "signal 6"),
        ("leave", {"code": 3}, "Exited", "code 3"),
        ("leave", {"code": 0}, "Exited", "code 0"),
    ],
)
async def test_crash_is_reported_with_its_cause(
    program: Project, bench: Bench, task: str, inputs: dict[str, int], code: str, detail: str
) -> None:
    invocation = program.invocation(task, inputs)
    result = await bench.run(invocation)
    assert result.error is not None
    error = result.error
    assert (result.status, error.kind, error.code, error.retryable) == ("failed", "USER", code, True)
    assert detail in error.message
    assert read_result(program.store, invocation) == result
    # The worker goes on.
    assert (await bench.run(program.invocation("pid", node="n1"))).status == "succeeded"


async def test_log_of_a_crash_has_the_users_stack(program: Project, bench: Bench) -> None:
    await bench.run(program.invocation("segfault"))
    log = program.store.read(program.layout.log_chunk("n0", "1", 1, 0)).decode()
    assert log.startswith("before the crash\n")
    assert "Segmentation fault" in log
    assert f"{program.module}.py" in log


async def test_process_killed_without_evidence_of_memory_is_charged_to_the_platform(
    program: Project, bench: Bench, tmp_path: Path
) -> None:
    path = tmp_path / "pid"
    invocation = program.invocation("forever", {"path": str(path)})
    running = bench.start(invocation)
    (pid,) = await pids_in(path)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(SystemFailure) as caught:
        await running
    error = caught.value.error
    assert (error.kind, error.code, error.retryable) == ("SYSTEM", "Killed", True)
    assert read_try_error(program.store, invocation) == error
    assert read_result(program.store, invocation) is None


async def test_process_ended_by_a_shutdown_is_lost(program: Project, bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "pid"
    invocation = program.invocation("forever", {"path": str(path)})
    running = bench.start(invocation)
    (pid,) = await pids_in(path)
    os.kill(pid, signal.SIGTERM)
    with pytest.raises(TaskLost, match="signal 15"):
        await running
    assert read_result(program.store, invocation) is None
    assert read_try_error(program.store, invocation) is not None


@pytest.mark.parametrize(
    ("end", "out_of_memory", "violation", "kind", "code"),
    [
        (Exit(None, 9), True, "", "USER", "OutOfMemory"),
        (Exit(None, 9), False, "", "SYSTEM", "Killed"),
        (Exit(None, 9), True, "the task closed the channel", "USER", "Crashed"),
        (Exit(None, 11), True, "", "USER", "Crashed"),
        (Exit(None, 15), False, "", "SYSTEM", "Lost"),
        (Exit(1, None), True, "", "USER", "Exited"),
        (Exit(None, None), False, "", "SYSTEM", "Lost"),
    ],
)
def test_outcome_of_a_process_that_ended(end: Exit, out_of_memory: bool, violation: str, kind: str, code: str) -> None:
    error = crash_error(end, out_of_memory=out_of_memory, violation=violation)
    assert (error.kind, error.code, error.retryable) == (kind, code, True)


def test_counter_of_kills_for_memory_exists() -> None:
    assert OomCounter().current() >= 0
    assert Path(OomCounter()._path).exists()


async def test_processes_of_a_crashed_task_are_ended(
    program: Project, start_backend: StartBackend, tmp_path: Path
) -> None:
    bench = await start_backend(grace_seconds=0.2)
    path = tmp_path / "pids"
    error = (await bench.run(program.invocation("family_then_crash", {"path": str(path)}))).error
    assert error is not None
    assert error.code == "Exited"
    # `bare` has neither group nor session nor marker: once its ancestors are gone, nothing tells whose it was.
    child, away, _bare, deaf, parent, _ = await pids_in(path)
    assert [pid for pid in (child, away, deaf, parent) if alive(pid)] == []


async def test_timeout_ends_the_task_and_its_processes(
    program: Project, start_backend: StartBackend, tmp_path: Path
) -> None:
    bench = await start_backend(grace_seconds=0.2)
    path = tmp_path / "pids"
    # Long enough for the family to be there: the attempt's outcome does not depend on it.
    settings = TaskSettings(timeout_seconds=3.0)
    invocation = program.invocation("family", {"path": str(path)}, settings=settings)
    result = await bench.run(invocation)
    assert result.error is not None
    assert (result.error.kind, result.error.code, result.error.retryable) == ("USER", "Timeout", True)
    assert "3 s" in result.error.message
    assert read_result(program.store, invocation) == result
    assert [pid for pid in await pids_in(path) if alive(pid)] == []


async def test_result_committed_before_the_timeout_counts(
    program: Project, start_backend: StartBackend, tmp_path: Path
) -> None:
    bench = await start_backend(grace_seconds=0.2)
    settings = TaskSettings(timeout_seconds=1.0)
    invocation = program.invocation("forever", {"path": str(tmp_path / "pid")}, settings=settings)
    running = bench.start(invocation)
    committed = commit_result(program.store, invocation, TaskResult(status="succeeded", outputs={"o0": 5}))
    assert await running == committed


async def test_stopped_task_is_ended_with_its_processes(
    program: Project, start_backend: StartBackend, tmp_path: Path
) -> None:
    bench = await start_backend(grace_seconds=0.2)
    path = tmp_path / "pids"
    invocation = program.invocation("family", {"path": str(path)})
    running = bench.start(invocation)
    pids = await pids_in(path)
    assert [pid for pid in pids if not alive(pid)] == []
    await bench.backend.kill(key_of(invocation))
    assert [pid for pid in pids if alive(pid)] == []
    with pytest.raises(TaskLost, match="ended on request"):
        await running
    assert not bench.backend.running()
    assert read_result(program.store, invocation) is None


async def test_task_that_ignores_term_is_killed(
    program: Project, start_backend: StartBackend, tmp_path: Path
) -> None:
    bench = await start_backend(grace_seconds=0.2)
    invocation = program.invocation("deaf", {"path": str(tmp_path / "pid")})
    running = bench.start(invocation)
    (pid,) = await pids_in(tmp_path / "pid")
    await bench.backend.kill(key_of(invocation))
    assert not alive(pid)
    with pytest.raises(TaskLost):
        await running


async def test_task_may_clean_up_after_term(program: Project, bench: Bench, tmp_path: Path) -> None:
    path, bye = tmp_path / "pid", tmp_path / "bye"
    invocation = program.invocation("polite", {"path": str(path), "bye": str(bye)})
    running = bench.start(invocation)
    await pids_in(path)
    await bench.backend.kill(key_of(invocation))
    assert bye.read_text() == "cleaned up\n"
    # It ended its call by itself: what came of it is the attempt's result.
    error = (await running).error
    assert error is not None
    assert error.code == "SystemExit"


async def test_process_that_may_not_be_killed_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    child = await asyncio.create_subprocess_exec("sleep", "1000", start_new_session=True)
    with monkeypatch.context() as patch:
        patch.setattr(os, "kill", refuse_signal)
        await end_all(child.pid, "no such marker", 0)
    assert child.returncode is None
    await end_all(child.pid, "no such marker", 0)
    assert await child.wait() == -signal.SIGKILL


def refuse_signal(pid: int, number: int) -> None:
    raise PermissionError(pid, number)


async def test_stopping_an_unknown_try_has_no_effect(program: Project, bench: Bench) -> None:
    invocation = program.invocation("pid")
    await bench.backend.kill(key_of(invocation))
    assert (await bench.run(invocation)).status == "succeeded"


async def test_cancelled_caller_only_detaches(program: Project, bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    invocation = program.invocation("forever", {"path": str(path)})
    caller = bench.start(invocation)
    await until(bench.backend.running, "the try is taken")
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert bench.backend.running() == {key_of(invocation)}
    # The task goes on: it writes its pid only now.
    pid = int(await asyncio.to_thread(path.read_text))
    assert alive(pid)
    await bench.backend.kill(key_of(invocation))
    assert not alive(pid)
