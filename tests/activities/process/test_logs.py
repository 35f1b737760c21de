"""Output of tasks: complete, visible while the task runs, limited."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from flytemp.errors import StoreError
from flytemp.spec.models import TaskSettings
from flytemp.store.local import LocalStore
from flytemp_activities.process.logs import LogSink, OutputPipe
from flytemp_activities.process.options import ProcessOptions
from tests.activities.process.conftest import Bench, StartBackend
from tests.activities.process.wait_for import until
from tests.sdk.runtime.project import Project

MakeProject = Callable[[str], Project]

PROGRAM = """
    import os, subprocess, sys, threading
    from flytemp import task

    @task
    def say(text: str) -> None:
        print(text)

    @task
    def quiet() -> None:
        pass

    @task
    def everywhere() -> None:
        print("print")
        sys.stderr.write("stderr\\n")
        os.write(1, b"descriptor\\n")
        subprocess.run(["echo", "child"])
        print("no end of line", end="")

    @task
    def bytes_and_text() -> None:
        os.write(1, b"\\x00\\xff\\x00flytemp:no\\n")
        print("\\udcff and \\u00e9")

    @task
    def much(lines: int) -> None:
        for number in range(lines):
            print(f"{number:09d}" + "x" * 90)

    @task
    def ask(path: str) -> None:
        print("before the pause")
        with open(path) as fifo:
            fifo.read()
        print("after it")

    @task
    def fail() -> None:
        print("so far so good")
        raise ValueError("no")

    @task
    def crash() -> None:
        print("the last words")
        os._exit(1)

    @task
    def hang() -> None:
        print("going to hang")
        threading.Event().wait()
"""


@pytest.fixture
def program(make_project: MakeProject) -> Project:
    return make_project(PROGRAM)


def log_of(program: Project, node: str = "n0") -> bytes:
    folder = program.layout.log_folder(node, "1", 1)
    return b"".join(program.store.read(f"{folder}/{name}") for name in program.store.list(folder))


async def test_complete_output_is_kept(program: Project, bench: Bench) -> None:
    await bench.run(program.invocation("everywhere"))
    assert log_of(program) == b"print\nstderr\ndescriptor\nchild\nno end of line"


async def test_each_task_of_a_process_has_its_own_log(program: Project, bench: Bench) -> None:
    for number in range(3):
        await bench.run(program.invocation("say", {"text": f"task {number}"}, node=f"n{number}"))
    assert [log_of(program, f"n{number}") for number in range(3)] == [b"task 0\n", b"task 1\n", b"task 2\n"]


async def test_output_that_does_not_end_is_not_read_for_ever(program: Project, bench: Bench) -> None:
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    os.write(write_end, b"x")

    class RefilledPipe(OutputPipe):
        def _take(self, data: bytes) -> None:
            super()._take(data)
            os.write(write_end, b"x")

    pipe, sink = RefilledPipe(read_end), LogSink(program.store, str, bench.options)
    pipe.begin(sink, b"\0end\n")
    pipe.end()
    pipe.close()
    os.close(write_end)
    await sink.finish()


async def test_task_without_output_has_no_log(program: Project, bench: Bench) -> None:
    await bench.run(program.invocation("quiet"))
    assert program.store.list(program.layout.log_folder("n0", "1", 1)) == []


async def test_output_may_be_any_bytes(program: Project, bench: Bench) -> None:
    await bench.run(program.invocation("bytes_and_text"))
    assert log_of(program) == b"\x00\xff\x00flytemp:no\n\\udcff and \xc3\xa9\n"


async def test_output_is_visible_while_the_task_runs(
    program: Project, start_backend: StartBackend, tmp_path: Path
) -> None:
    bench = await start_backend(log_interval_seconds=0.05)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    running = bench.start(program.invocation("ask", {"path": str(fifo)}))
    await until(lambda: log_of(program) == b"before the pause\n", "the first line is in the store")
    assert not running.done()
    (await asyncio.to_thread(fifo.open, "w")).close()
    await running
    assert log_of(program) == b"before the pause\nafter it\n"
    assert program.store.list(program.layout.log_folder("n0", "1", 1)) == ["000000.txt", "000001.txt"]


async def test_long_output_is_kept_in_chunks(program: Project, bench: Bench) -> None:
    lines = 20_000
    await bench.run(program.invocation("much", {"lines": lines}))
    assert log_of(program) == b"".join(b"%09d%s\n" % (number, b"x" * 90) for number in range(lines))
    assert len(program.store.list(program.layout.log_folder("n0", "1", 1))) > 1


async def test_output_above_the_limit_is_dropped(
    program: Project, start_backend: StartBackend
) -> None:
    bench = await start_backend(log_limit_bytes=10_000)
    result = await bench.run(program.invocation("much", {"lines": 50_000}))
    assert result.status == "succeeded"
    log = log_of(program)
    assert log[:10_000] == b"".join(b"%09d%s\n" % (number, b"x" * 90) for number in range(100))
    assert log[10_000:] == b"\n[flytemp keeps 10,000 bytes of a try's output; the rest is dropped]\n"
    # The line that ends a task is found behind what was dropped.
    await bench.run(program.invocation("say", {"text": "next"}, node="n1"))
    assert log_of(program, "n1") == b"next\n"


@pytest.mark.parametrize(
    ("task", "settings", "log"),
    [
        ("fail", TaskSettings(), b"so far so good\n"),
        ("crash", TaskSettings(), b"the last words\n"),
        ("hang", TaskSettings(timeout_seconds=1.0), b"going to hang\n"),
    ],
)
async def test_log_of_a_failure_is_complete(
    program: Project, start_backend: StartBackend, task: str, settings: TaskSettings, log: bytes
) -> None:
    bench = await start_backend(log_interval_seconds=1000.0)
    result = await bench.run(program.invocation(task, settings=settings))
    assert result.status == "failed"
    assert log_of(program) == log


class FullStore(LocalStore):
    def write(self, key: str, data: bytes) -> None:
        raise StoreError(f"cannot write {key}: No space left on device")


async def test_failed_log_writes_are_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    options = ProcessOptions(log_chunk_bytes=1)
    sink = LogSink(FullStore("file:///nowhere"), lambda number: f"logs/{number}.txt", options)
    with caplog.at_level(logging.WARNING):
        sink.feed(b"one")
        sink.feed(b"two")
        await sink.finish()
    assert [record.message for record in caplog.records] == [
        "a task's output is not kept: cannot write logs/0.txt: No space left on device"
    ]


@pytest.mark.parametrize("cut", range(1, 40))
async def test_sentinel_is_found_however_the_output_is_cut(tmp_path: Path, cut: int) -> None:
    store = LocalStore(f"file://{tmp_path}")
    sink = LogSink(store, lambda number: f"logs/{number}.txt", ProcessOptions())
    read_end, write_end = os.pipe()
    pipe = OutputPipe(read_end)
    sentinel = b"\0flytemp:0123456789abcdef\n"
    pipe.begin(sink, sentinel)
    data = b"out\0put\0fly" + sentinel + b"of the next"
    for part in (data[:cut], data[cut:]):
        os.write(write_end, part)
        pipe._read_some()
    pipe.end()
    await sink.finish()
    os.close(write_end)
    pipe.close()
    assert store.read("logs/0.txt") == b"out\0put\0fly"
