"""Tasks in processes: reuse, what they leave, reports."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from flytemp.runtime.commit import read_claim, read_result
from flytemp.spec.models import TaskSettings
from flytemp.spec.tasks import Reuse
from flytemp_activities.backend import SystemFailure, TaskLost, TryKey
from flytemp_activities.process.guard import marked_processes
from tests.activities.process.conftest import Bench, StartBackend
from tests.activities.process.wait_for import alive, until
from tests.sdk.runtime.project import Project

MakeProject = Callable[[str], Project]

PROGRAM = """
    import os, signal, subprocess, sys, threading
    from flytemp import task

    seen = []

    @task
    def pid() -> int:
        return os.getpid()

    @task
    def parent() -> int:
        return os.getppid()

    @task
    def remembered(x: int) -> list[int]:
        seen.append(x)
        return seen

    @task
    def disturb() -> int:
        os.chdir("/")
        os.environ["LEFT_BEHIND"] = "yes"
        os.environ.pop("HOME", None)
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        sys.stdout.close()
        os.close(2)
        return os.getpid()

    @task
    def surroundings() -> dict[str, str]:
        print("still heard")
        return {
            "pid": str(os.getpid()),
            "cwd": os.getcwd(),
            "left": os.environ.get("LEFT_BEHIND", ""),
            "home": os.environ.get("HOME", ""),
            "usr1": str(signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL),
        }

    @task
    def leave_child() -> dict[str, int]:
        child = subprocess.Popen(["sleep", "1000"])
        return {"own": os.getpid(), "child": child.pid}

    @task
    def leave_orphan() -> dict[str, int]:
        shell = subprocess.run(
            ["setsid", "sh", "-c", "sleep 1000 >/dev/null 2>&1 & echo $!"], env={}, capture_output=True, text=True, check=True
        )
        return {"own": os.getpid(), "child": int(shell.stdout)}

    @task
    def leave_thread() -> int:
        threading.Thread(target=threading.Event().wait).start()
        return os.getpid()

    @task
    def wait_for(path: str) -> int:
        with open(path) as fifo:
            fifo.read()
        return os.getpid()

    @task
    def close_everything() -> int:
        os.closerange(3, 1000)
        threading.Event().wait()
        return 1

    @task
    def large() -> list[str]:
        return ["x" * 1000] * 1500
"""


SHARED = TaskSettings(reuse="process")


@pytest.fixture
def program(make_project: MakeProject) -> Project:
    return make_project(PROGRAM)


def output(result: object) -> object:
    outputs = getattr(result, "outputs", None)
    assert outputs is not None, result
    return outputs["o0"]


async def test_each_task_has_a_process_of_its_own(program: Project, bench: Bench) -> None:
    pids = {output(await bench.run(program.invocation("pid", node=f"n{number}"))) for number in range(3)}
    assert len(pids) == 3
    assert not bench.backend.running()


async def test_process_is_shared_on_request(program: Project, bench: Bench) -> None:
    pids = {output(await bench.run(program.invocation("pid", node=f"n{number}", settings=SHARED))) for number in range(3)}
    assert len(pids) == 1
    assert output(await bench.run(program.invocation("pid", node="n3"))) not in pids


async def test_process_is_recycled_after_its_number_of_tasks(program: Project, start_backend: StartBackend) -> None:
    bench = await start_backend(recycle_after=2, slots=1)
    pids = [output(await bench.run(program.invocation("pid", node=f"n{number}", settings=SHARED))) for number in range(5)]
    assert pids[0] == pids[1] != pids[2] == pids[3] != pids[4]


async def test_fork_server_that_was_started_ahead_serves_any_bundle(program: Project, start_backend: StartBackend) -> None:
    bench = await start_backend(warm=1)
    context = bench.backend._context
    assert context is not None
    await until(lambda: context.pool._servers._unused, "a fork server is started ahead")
    (ready,) = marked_processes(bench.backend._token)
    assert output(await bench.run(program.invocation("parent"))) == ready


async def test_details_of_a_try_are_reported(program: Project, bench: Bench) -> None:
    result = await bench.run(program.invocation("pid"))
    phases = list(dict.fromkeys(report["phase"] for report in bench.reports))
    assert phases == ["queued", "starting", "running"]
    assert bench.reports[-1]["pid"] == output(result)
    assert bench.reports[-1]["claimed"] is True


async def test_claim_has_the_worker_and_the_process(program: Project, bench: Bench) -> None:
    invocation = program.invocation("pid")
    result = await bench.run(invocation)
    claim = read_claim(program.store, invocation)
    assert claim is not None
    assert (claim.owner, claim.pid) == (bench.backend.owner, output(result))


@pytest.mark.parametrize(("reuse", "same"), [("imports", "os.getppid()"), ("process", "os.getpid()")])
async def test_tasks_of_different_bundles_never_share_a_process(
    make_project: MakeProject, bench: Bench, reuse: Reuse, same: str
) -> None:
    pids: set[object] = set()
    for value in (1, 2, 1, 2):
        project = make_project(PROGRAM)
        source = f"import os\nfrom flytemp import task\n@task\ndef same() -> list[int]: return [{value}, {same}]\n"
        project.write(source, "same.py")
        (project.folder / f"{project.module}.py").unlink()
        answer = output(await bench.run(project.invocation("same:same", settings=TaskSettings(reuse=reuse))))
        assert isinstance(answer, list)
        assert answer[0] == value
        pids.add(answer[1])
    # The bundles of equal content are one bundle.
    assert len(pids) == 2


async def test_tasks_of_different_environments_never_share_a_process(program: Project, bench: Bench) -> None:
    answers: list[object] = []
    for value in ("a", "b", "a"):
        settings = TaskSettings(environment={"MODE": value}, reuse="process")
        node = f"n{len(answers)}"
        answers.append(output(await bench.run(program.invocation("remembered", {"x": 1}, node=node, settings=settings))))
    assert answers == [[1], [1], [1, 1]]


async def test_idle_process_is_replaced_for_another_environment(program: Project, start_backend: StartBackend) -> None:
    bench = await start_backend(slots=1)
    first = output(await bench.run(program.invocation("pid", settings=SHARED)))
    settings = TaskSettings(environment={"MODE": "other"}, reuse="process")
    second = output(await bench.run(program.invocation("pid", node="n1", settings=settings)))
    assert first != second
    assert isinstance(first, int)
    await until(lambda: not alive(first), "the idle process ends")


async def test_changes_of_a_task_in_a_shared_process_are_undone(
    program: Project, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/of-the-worker")
    pid = output(await bench.run(program.invocation("disturb", settings=SHARED)))
    after = output(await bench.run(program.invocation("surroundings", node="n1", settings=SHARED)))
    assert isinstance(after, dict)
    cwd = after.pop("cwd")
    assert after == {"pid": str(pid), "left": "", "home": "/home/of-the-worker", "usr1": "True"}
    assert str(bench.options.scratch_folder) in cwd
    assert program.store.read(program.layout.log_chunk("n1", "1", 1, 0)) == b"still heard\n"


@pytest.mark.parametrize("reuse", ["imports", "process", "nothing"])
@pytest.mark.parametrize("task", ["leave_child", "leave_orphan"])
async def test_processes_left_by_a_task_are_ended(program: Project, bench: Bench, task: str, reuse: Reuse) -> None:
    settings = TaskSettings(reuse=reuse)
    left = output(await bench.run(program.invocation(task, settings=settings)))
    assert isinstance(left, dict)
    await until(lambda: not alive(left["child"]) and not alive(left["own"]), "what the task left is ended")
    assert output(await bench.run(program.invocation("pid", node="n1", settings=settings))) != left["own"]


@pytest.mark.parametrize("reuse", ["imports", "process"])
async def test_process_with_remaining_threads_is_ended(program: Project, bench: Bench, reuse: Reuse) -> None:
    settings = TaskSettings(reuse=reuse)
    first = output(await bench.run(program.invocation("leave_thread", settings=settings)))
    assert isinstance(first, int)
    await until(lambda: not alive(first), "the process is ended")
    assert output(await bench.run(program.invocation("pid", node="n1", settings=settings))) != first


async def test_task_without_a_slot_is_reported_as_queued(
    program: Project, start_backend: StartBackend, tmp_path: Path
) -> None:
    bench = await start_backend(slots=1)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    first = bench.start(program.invocation("wait_for", {"path": str(fifo)}))
    await until(lambda: any("claimed" in report for report in bench.reports), "the first task runs")
    bench.reports.clear()
    second = bench.start(program.invocation("pid", node="n1"))
    await until(lambda: bench.reports, "the second task reports")
    assert {report["phase"] for report in bench.reports} == {"queued"}
    assert {key.node for key in bench.backend.running()} == {"n0", "n1"}
    (await asyncio.to_thread(fifo.open, "w")).close()
    await first
    await second


async def test_queued_task_can_be_stopped(program: Project, start_backend: StartBackend, tmp_path: Path) -> None:
    bench = await start_backend(slots=1)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    first = bench.start(program.invocation("wait_for", {"path": str(fifo)}))
    await until(lambda: any("claimed" in report for report in bench.reports), "the first task runs")
    invocation = program.invocation("pid", node="n1")
    second = bench.start(invocation)
    await until(lambda: len(bench.backend.running()) == 2, "the second task waits")
    await bench.backend.kill(TryKey(invocation.execution_root, "n1", 1, 1))
    with pytest.raises(TaskLost, match="on request"):
        await second
    assert read_claim(program.store, invocation) is None
    (await asyncio.to_thread(fifo.open, "w")).close()
    await first
    assert output(await bench.run(program.invocation("pid", node="n2")))


async def test_long_result_is_read_from_the_store(program: Project, bench: Bench) -> None:
    invocation = program.invocation("large")
    result = await bench.run(invocation)
    assert result == read_result(program.store, invocation)
    assert len(output(result)) == 1500  # type: ignore[arg-type]


async def test_task_that_closes_the_runtimes_descriptors_is_charged_to_the_user(program: Project, bench: Bench) -> None:
    error = (await bench.run(program.invocation("close_everything"))).error
    assert error is not None
    assert (error.kind, error.code) == ("USER", "Crashed")


async def test_missing_bundle_is_charged_to_the_platform(program: Project, bench: Bench) -> None:
    invocation = program.invocation("pid")
    assert invocation.bundle is not None
    gone = invocation.bundle.model_copy(update={"digest": "0" * 64})
    with pytest.raises(SystemFailure) as caught:
        await bench.run(invocation.model_copy(update={"bundle": gone}))
    assert (caught.value.error.kind, caught.value.error.code) == ("SYSTEM", "NotFound")


async def test_dead_idle_process_is_replaced(program: Project, bench: Bench) -> None:
    pid = output(await bench.run(program.invocation("pid", settings=SHARED)))
    assert isinstance(pid, int)
    os.kill(pid, signal.SIGKILL)
    await until(lambda: not alive(pid), "the idle process is gone")
    assert output(await bench.run(program.invocation("pid", node="n1", settings=SHARED))) != pid


async def test_process_that_cannot_start_is_charged_to_the_platform(
    program: Project, bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = TaskSettings(environment={"PYTHONHOME": str(tmp_path / "nowhere")})
    with pytest.raises(SystemFailure) as caught:
        await bench.run(program.invocation("pid", settings=settings))
    assert (caught.value.error.kind, caught.value.error.code) == ("SYSTEM", "ProcessNotStarted")
    assert "encodings" in caught.value.error.message  # what the process itself said
    monkeypatch.setattr("sys.executable", str(tmp_path / "no-python"))
    with pytest.raises(SystemFailure, match="no-python") as caught:
        await bench.run(program.invocation("pid", node="n1", settings=settings))
    assert caught.value.error.code == "ProcessNotStarted"
    monkeypatch.undo()
    assert output(await bench.run(program.invocation("pid", node="n2")))


async def test_closing_the_backend_ends_running_tasks(program: Project, start_backend: StartBackend, tmp_path: Path) -> None:
    bench = await start_backend()
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    running = bench.start(program.invocation("wait_for", {"path": str(fifo)}))
    await until(lambda: any("claimed" in report for report in bench.reports), "the task runs")
    pid = bench.reports[-1]["pid"]
    await bench.backend.close()
    with pytest.raises(TaskLost, match="shut down"):
        await running
    assert not alive(pid)
    assert program.store.list("workers") == []
    assert list((tmp_path / "scratch").iterdir()) == []
