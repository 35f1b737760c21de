"""Modules whose tasks are forked, modules whose tasks get fresh processes, and processes that a fork has blocked."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from flytemp.runtime.commit import read_try_error
from flytemp.runtime.invocation import TaskResult
from flytemp.spec.models import TaskSettings
from flytemp_activities.backend import SystemFailure, TaskLost
from tests.activities.process.conftest import Bench, StartBackend
from tests.activities.process.wait_for import alive, until
from tests.sdk.runtime.project import Project

MakeProject = Callable[[str], Project]

TASKS = """
import os
from flytemp import task

IMPORTED_BY = os.getpid()

@task
def is_fork() -> bool:
    return IMPORTED_BY != os.getpid()
"""


OVERWRITE_ENVIRONMENT = """
import ctypes
libc = ctypes.CDLL(None)
libc.getenv.restype = ctypes.c_void_p
ctypes.memset(libc.getenv(b"FLYTEMP_PROCESS_GUARD"), 0, 4)
"""


def output(result: TaskResult) -> object:
    assert result.outputs is not None, result.error
    return result.outputs["o0"]


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()", "thread"),
        ("import socket; connection = socket.socketpair()", "socket"),
        ("file = open(os.__file__)", "opened"),
        ("import asyncio; loop = asyncio.new_event_loop()", "opened|socket"),
        ("import mmap; shared = mmap.mmap(-1, 4096)", "shared memory"),
        ("import subprocess; child = subprocess.Popen(['sleep', '1000'])", "process"),
        ("import signal; signal.setitimer(signal.ITIMER_VIRTUAL, 1000)", "timer"),
        ("import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)", "SIGCHLD"),
        ("import signal; signal.signal(signal.SIGCHLD, lambda *_: os.waitpid(-1, os.WNOHANG))", "SIGCHLD"),
        ("os.fork = lambda fork=os.fork: fork()", "os.fork"),
        ("import tempfile; folder = tempfile.mkdtemp(); os.chdir(folder); os.rmdir(folder)", "working directory"),
        (OVERWRITE_ENVIRONMENT, "environment"),
        ("os.fork()", "process"),
        ("open('cache.txt', 'w').close()", "working directory"),
        ("import random; generator = random.Random()", "random number generator"),
        ("import sys; sys.modules['mpi4py.MPI'] = sys", "MPI"),
    ],
)
async def test_module_that_is_not_safe_to_fork_gets_fresh_processes(
    make_project: MakeProject, bench: Bench, caplog: pytest.LogCaptureFixture, statement: str, reason: str
) -> None:
    program = make_project(f"{TASKS}\n{statement}\n")
    with caplog.at_level(logging.WARNING):
        assert output(await bench.run(program.invocation("is_fork"))) is False
    (warning,) = [record.getMessage() for record in caplog.records if "get fresh processes" in record.getMessage()]
    assert program.module in warning
    assert any(part in warning for part in reason.split("|"))


@pytest.mark.parametrize("hook", ["lambda: os._exit(7)", "lambda: time.sleep(1000)"])
async def test_module_whose_forked_processes_do_not_start_gets_fresh_processes(
    make_project: MakeProject, start_backend: StartBackend, hook: str
) -> None:
    bench = await start_backend(start_timeout_seconds=5.0)
    program = make_project(f"{TASKS}\nimport time\nos.register_at_fork(after_in_child={hook})\n")
    with pytest.raises(SystemFailure):
        await bench.run(program.invocation("is_fork"))
    assert output(await bench.run(program.invocation("is_fork", node="n1"))) is False


async def test_module_whose_fork_server_ends_gets_a_fresh_process(make_project: MakeProject, bench: Bench) -> None:
    program = make_project(f"{TASKS}\nos.register_at_fork(before=lambda: os._exit(7))\n")
    assert output(await bench.run(program.invocation("is_fork"))) is False


async def test_worker_can_end_while_a_module_is_imported(
    make_project: MakeProject, start_backend: StartBackend, tmp_path: Path
) -> None:
    bench = await start_backend(start_timeout_seconds=1e6)
    program = make_project(f"{TASKS}\nimport time\nopen({str(tmp_path / 'began')!r}, 'w').close()\ntime.sleep(1e6)\n")
    running = bench.start(program.invocation("is_fork"))
    await until((tmp_path / "began").exists, "the import begins")
    await bench.backend.close()
    with pytest.raises(TaskLost):
        await running


async def test_module_without_an_obstacle_is_forked(make_project: MakeProject, bench: Bench) -> None:
    program = make_project(f"{TASKS}\nimport logging, multiprocessing, sqlite3, concurrent.futures\n")
    assert output(await bench.run(program.invocation("is_fork"))) is True


async def test_fresh_process_is_started_ahead_with_its_imports(make_project: MakeProject, bench: Bench) -> None:
    program = make_project(f"{TASKS}\n@task\ndef pid() -> int:\n    return os.getpid()\n")
    fresh = TaskSettings(reuse="nothing")
    first = output(await bench.run(program.invocation("pid", settings=fresh)))
    pool = bench.backend._context.pool  # type: ignore[union-attr]
    (spare,) = pool._spares.values()
    ahead = (await asyncio.shield(spare)).pid
    assert first != ahead
    assert output(await bench.run(program.invocation("pid", settings=fresh, node="n1"))) == ahead


@pytest.mark.parametrize(
    ("statement", "kind", "code"),
    [
        ("raise ValueError('at import')", "USER", "ValueError"),
        ("import no_such_module", "USER", "ModuleNotFoundError"),
        ("raise SystemExit(3)", "USER", "SystemExit"),
        ("os._exit(3)", "USER", "Exited"),
        ("import ctypes; ctypes.string_at(0)", "USER", "Crashed"),
    ],
)
async def test_failed_import_is_an_error_of_the_task(
    make_project: MakeProject, bench: Bench, statement: str, kind: str, code: str
) -> None:
    program = make_project(f"{TASKS}\n{statement}\n")
    error = (await bench.run(program.invocation("is_fork"))).error
    assert error is not None
    assert (error.kind, error.code) == (kind, code)


async def test_output_of_the_import_is_in_the_log_of_each_task(make_project: MakeProject, bench: Bench) -> None:
    program = make_project(f"{TASKS}\nprint('imported')\n")
    for number in range(2):
        await bench.run(program.invocation("is_fork", node=f"n{number}"))
        assert program.store.read(program.layout.log_chunk(f"n{number}", "1", 1, 0)) == b"imported\n"


async def test_modules_of_a_folder_do_not_share_launch_plans(make_project: MakeProject, bench: Bench) -> None:
    program = make_project("")
    for name in ("north", "south"):
        program.write(
            f"""
            from flytemp import LaunchPlan, task, workflow

            @task
            def place() -> str:
                return "{name}"

            @workflow
            def flow() -> str:
                return place()

            plan = LaunchPlan.create("daily", flow)
            """,
            f"{name}.py",
        )
    for number, name in enumerate(("north", "south")):
        assert output(await bench.run(program.invocation(f"{name}:place", node=f"n{number}"))) == name


DEADLOCK = """
import ctypes, os, time
from flytemp import task

IMPORTED_BY = os.getpid()
libc = ctypes.CDLL(None)
mutex = ctypes.create_string_buffer(64)
libc.pthread_mutex_lock(mutex)

@task
def lock() -> bool:
    if IMPORTED_BY != os.getpid():
        libc.pthread_mutex_lock(mutex)
    return True

@task
def wait(seconds: float) -> bool:
    import threading
    if IMPORTED_BY == os.getpid():
        return False
    threading.Event().wait(seconds)
    return True
"""


async def test_process_that_a_fork_has_blocked_is_replaced_by_a_fresh_one(
    make_project: MakeProject, start_backend: StartBackend
) -> None:
    bench = await start_backend(deadlock_seconds=0.1)
    program = make_project(DEADLOCK)
    first = program.invocation("lock")
    with pytest.raises(SystemFailure) as caught:
        await bench.run(first)
    error = caught.value.error
    assert (error.kind, error.code, error.retryable) == ("SYSTEM", "ForkDeadlock", True)
    assert read_try_error(program.store, first) == error
    assert output(await bench.run(program.invocation("lock", try_=2))) is True
    assert output(await bench.run(program.invocation("wait", {"seconds": 0.0}, node="n1"))) is False


async def test_waiting_task_is_not_taken_for_blocked(make_project: MakeProject, start_backend: StartBackend) -> None:
    bench = await start_backend(deadlock_seconds=0.02)
    program = make_project(DEADLOCK)
    assert output(await bench.run(program.invocation("wait", {"seconds": 0.5}))) is True


async def test_tasks_of_a_killed_fork_server_are_lost_and_the_next_ones_run(make_project: MakeProject, bench: Bench) -> None:
    source = "@task\ndef kill_parent() -> int:\n    os.kill(os.getppid(), 9)\n    time.sleep(1000)\n    return 1\n"
    program = make_project(f"{TASKS}\nimport time\n{source}")
    with pytest.raises(SystemFailure):
        await bench.run(program.invocation("kill_parent"))
    assert output(await bench.run(program.invocation("is_fork", node="n1"))) is True


async def test_least_recently_used_fork_server_is_ended(make_project: MakeProject, start_backend: StartBackend) -> None:
    bench = await start_backend(fork_servers=1)
    source = f"{TASKS}\n@task\ndef parent() -> int:\n    return os.getppid()\n"
    programs = [make_project(source), make_project(source)]
    first, second = [output(await bench.run(program.invocation("parent"))) for program in programs]
    assert isinstance(first, int)
    numbers = itertools.count(1)

    async def is_ended() -> bool:
        assert output(await bench.run(programs[1].invocation("parent", node=f"n{next(numbers)}"))) == second
        return not alive(first)

    while not await is_ended():
        pass


EXIT_HANDLERS = """
import atexit, os, tempfile
from flytemp import task

folder = tempfile.TemporaryDirectory()

def note(path):
    open(path, "w").close()

@task
def register(path: str) -> str:
    global own
    own = tempfile.TemporaryDirectory()
    atexit.register(note, path)
    os.symlink(own.name, path + ".own")
    return folder.name
"""


async def test_exit_handlers_of_a_task_run_and_those_of_its_module_do_not(
    make_project: MakeProject, start_backend: StartBackend, tmp_path: Path
) -> None:
    bench = await start_backend()
    program = make_project(EXIT_HANDLERS)
    folder = output(await bench.run(program.invocation("register", {"path": str(tmp_path / "noted")})))
    await until((tmp_path / "noted").exists, "the exit handler of the task runs")
    await until(lambda: not (tmp_path / "noted.own").exists(), "the temporary directory of the task is removed")
    assert os.path.isdir(str(folder))
    await bench.backend.close()
    assert not os.path.isdir(str(folder))


async def test_numbers_of_an_unseeded_generator_differ(make_project: MakeProject, bench: Bench) -> None:
    program = make_project(f"{TASKS}\nimport random\nrandom.random()\n@task\ndef draw() -> float:\n    return random.random()\n")
    drawn = {output(await bench.run(program.invocation("draw", node=f"n{number}"))) for number in range(3)}
    assert len(drawn) == 3


async def test_seed_of_the_module_holds_in_each_task(make_project: MakeProject, bench: Bench) -> None:
    program = make_project(f"{TASKS}\nimport random\nrandom.seed(1)\n@task\ndef draw() -> float:\n    return random.random()\n")
    drawn = {output(await bench.run(program.invocation("draw", node=f"n{number}"))) for number in range(3)}
    assert drawn == {random.Random(1).random()}
