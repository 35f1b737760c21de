"""Tasks that attack the process that runs them: the control channel, the slots."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from flytemp.runtime.commit import read_result
from tests.activities.process.conftest import Bench, StartBackend
from tests.activities.process.wait_for import alive, until
from tests.sdk.runtime.project import Project

PROGRAM = """
    import json, os, stat, sys, threading
    from flytemp import task

    def control():
        found = []
        for number in range(3, 256):
            try:
                if stat.S_ISSOCK(os.fstat(number).st_mode):
                    found.append(number)
            except OSError:
                pass
        return found

    def nonce():
        frame = sys._getframe()
        while frame is not None:
            for value in frame.f_locals.values():
                if isinstance(value, dict) and isinstance(value.get("nonce"), str):
                    return value["nonce"]
            frame = frame.f_back
        raise AssertionError("the order is not on the stack")

    def send(data):
        for number in control():
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(number, rest):]

    @task
    def write(text: str, times: int) -> int:
        send((text * times).encode())
        threading.Event().wait()
        return 1

    @task
    def forge(outcome: str, reusable: bool) -> int:
        send(json.dumps({"event": "done", "nonce": nonce(), "reusable": reusable, "outcome": outcome}).encode() + b"\\n")
        threading.Event().wait()
        return 1

    @task
    def leave_half_a_line() -> int:
        send(b'{"event": "do')
        os._exit(3)

    @task
    def pid() -> int:
        return os.getpid()
"""


@pytest.fixture
def program(make_project: Callable[[str], Project]) -> Project:
    return make_project(PROGRAM)


@pytest.fixture
async def bench(start_backend: StartBackend) -> Bench:
    return await start_backend(slots=1, grace_seconds=0.2)


async def assert_that_the_slot_is_free(program: Project, bench: Bench) -> None:
    assert (await bench.run(program.invocation("pid", node="after"))).status == "succeeded"


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("{}\n", 1),
        ("[" * 5_000 + "\n", 1),
        ("\0\n", 1),
        ('{"event": "ready", "more": 1}\n', 1),
        ('{"event": "done", "nonce": "1", "reusable": true, "outcome": "committed"}\n', 1),
        ('{"event": "done", "reusable": true, "outcome": "committed"}\n', 1),
        ("x" * 1024, 20_000),
    ],
    ids=["no event", "deep", "no JSON", "unknown field", "other nonce", "missing field", "20 MB without an end"],
)
async def test_task_that_writes_to_the_control_channel_is_killed_and_charged(
    program: Project, bench: Bench, text: str, times: int
) -> None:
    invocation = program.invocation("write", {"text": text, "times": times})
    result = await bench.run(invocation)
    assert result.error is not None
    assert (result.error.kind, result.error.code) == ("USER", "Crashed")
    assert "control channel" in result.error.message
    assert read_result(program.store, invocation) == result
    pid = next(report["pid"] for report in bench.reports if "pid" in report)
    await until(lambda: not alive(pid), "the process is ended")
    await assert_that_the_slot_is_free(program, bench)


@pytest.mark.parametrize("reusable", [True, False])
@pytest.mark.parametrize("outcome", ["committed", "unclaimed"])
async def test_reported_outcome_counts_only_if_the_store_has_it(
    program: Project, bench: Bench, outcome: str, reusable: bool
) -> None:
    invocation = program.invocation("forge", {"outcome": outcome, "reusable": reusable})
    result = await bench.run(invocation)
    assert (result.status, result.error and (result.error.kind, result.error.code)) == ("failed", ("USER", "Crashed"))
    pid = next(report["pid"] for report in bench.reports if "pid" in report)
    assert not alive(pid)
    await assert_that_the_slot_is_free(program, bench)


async def test_half_a_message_does_not_hide_the_end_of_the_process(program: Project, bench: Bench) -> None:
    error = (await bench.run(program.invocation("leave_half_a_line"))).error
    assert error is not None
    assert (error.kind, error.code) == ("USER", "Exited")
    await assert_that_the_slot_is_free(program, bench)


async def test_invocation_that_cannot_be_sent_takes_no_slot(program: Project, bench: Bench) -> None:
    deep: Any = 1
    for _ in range(300):
        deep = {"a": deep}
    for number in range(3):
        with pytest.raises(ValueError, match="depth"):
            await bench.run(program.invocation("pid", {"x": deep}, node=f"deep{number}"))
    assert not bench.backend.running()
    await assert_that_the_slot_is_free(program, bench)
