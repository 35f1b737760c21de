"""`approve`, `reject`, `set-input`, `pause`, `resume`, `retry`, `list waiting`: with a fake workflow."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from temporalio.worker import Worker

from flytemp.client import Client
from flytemp.protocol.workflow import WORKFLOW_TYPE
from tests.command_line import Done, environment, flytemp
from tests.installation import DEADLINE_SECONDS, Installation
from tests.messages.golden import check_golden
from tests.sdk.client.fake_temporal import UpdateWorkflow
from tests.sdk.client.workerless import ME, leave_record, server

__all__ = ["server"]

pytestmark = pytest.mark.e2e

WAITING = [
    {"node": "n1", "gate": "release", "kind": "approve", "type": None, "since": "2026-01-31T12:00:00Z"},
    {"node": "n2.n0", "gate": "rate", "kind": "input", "type": {"kind": "float"}, "since": "2026-01-31T12:01:00Z"},
]


@pytest.fixture
async def client(server: Installation) -> AsyncIterator[Client]:
    variables = server.environment({"FLYTEMP_TASK_QUEUE": "stand-in"})
    connected = await Client.connect(server.settings({"FLYTEMP_TASK_QUEUE": "stand-in"}))
    with environment(variables, server.folder):
        async with Worker(connected.temporal, task_queue="stand-in", workflows=[UpdateWorkflow]):
            yield connected
    await connected.close()


async def start(client: Client, name: str, launch: dict[str, Any] | None = None) -> None:
    identifier = client.execution(name).workflow_id
    await client.temporal.start_workflow(WORKFLOW_TYPE, launch or {}, id=identifier, task_queue="stand-in")


async def call(*arguments: str) -> Done:
    """Run a command line in a thread, because it has its own event loop, while the worker runs in this one."""
    return await asyncio.to_thread(flytemp, *arguments)


async def requests_received(client: Client, name: str) -> list[list[Any]]:
    handle = client.temporal.get_workflow_handle(client.execution(name).workflow_id)
    result: list[list[Any]] = await handle.query("received")
    return result


async def test_answers(client: Client, tmp_path: Path) -> None:
    await start(client, "answered")
    (tmp_path / "limits.json").write_text('{"low": 1}\n')

    now = await call("approve", "answered", "now", "--reason", "fine")
    later = await call("reject", "answered", "later", "-o", "json")
    number = await call("set-input", "answered", "rate", "-3")
    text = await call("set-input", "answered", "name", "three words here")
    document = await call("set-input", "answered", "limits", "--file", str(tmp_path / "limits.json"), "-o", "name")

    assert now == Done(0, "", "gate now of execution answered is approved\n")
    assert json.loads(later.out) == {
        "name": "answered",
        "gate": "later",
        "approved": False,
        "reason": "",
        "nodes": [],
    }
    assert number.err == (
        "gate rate of execution answered is set to -3\nthe run has not reached the gate; the answer is kept until it does\n"
    )
    assert (text.code, document.out, document.err) == (0, "answered\n", "")
    assert [answer for _, answer in await requests_received(client, "answered")] == [
        {"gate": "now", "approved": True, "reason": "fine", "by": ME},
        {"gate": "later", "approved": False, "by": ME},
        {"gate": "rate", "value": -3, "by": ME},
        {"gate": "name", "value": "three words here", "by": ME},
        {"gate": "limits", "value": {"low": 1}, "by": ME},
    ]


async def test_rejected_answer_is_an_error_with_a_hint(client: Client) -> None:
    await start(client, "refusing")

    done = await call("approve", "refusing", "already-exists")

    assert done == Done(
        1,
        "",
        "error: execution refusing: it is refused\nhint: flytemp get execution refusing shows its gates and their answers\n",
    )


async def test_pause_and_resume(client: Client) -> None:
    await start(client, "paused")

    paused = await call("pause", "paused", "--reason", "maintenance")
    resumed = await call("resume", "paused", "-o", "json")

    assert paused.err == (
        "execution paused is paused: running tasks continue, no new nodes start\nhint: `flytemp resume paused` resumes it\n"
    )
    assert json.loads(resumed.out) == {"name": "paused", "requested": "resume"}
    assert await requests_received(client, "paused") == [["pause", {"by": ME, "reason": "maintenance"}], ["resume", {"by": ME}]]


async def test_waiting_gates_are_listed(client: Client) -> None:
    await start(client, "waits", {"waiting": WAITING})
    end = time.monotonic() + DEADLINE_SECONDS
    while not (names := await call("list", "waiting", "-o", "name")).out and time.monotonic() < end:
        await asyncio.sleep(0.05)

    table = await call("list", "waiting")
    data = await call("list", "waiting", "-o", "json")

    assert names.out == "waits release\nwaits rate\n"
    rows = [re.split(r" {2,}", line)[:4] for line in table.out.splitlines()]
    assert rows == [
        ["EXECUTION", "GATE", "WAITS FOR", "NODE"],
        ["waits", "release", "an approval", "n1"],
        ["waits", "rate", "float", "n2.n0"],
    ]
    check_golden("waiting-gates", {"flytemp list waiting": partial(str, table.err)})
    assert [(one["gate"], one["type"]) for one in json.loads(data.out)] == [("release", None), ("rate", {"kind": "float"})]


async def test_retry(client: Client) -> None:
    await start(client, "retried", {"fail": True})
    failed = await client.execution("retried").wait(DEADLINE_SECONDS)

    unknown = await call("retry", "retried", "n7")
    leave_record(client, failed)
    again = await call("retry", "retried")
    running = await call("retry", "retried")

    assert (unknown.code, unknown.err.splitlines()[0]) == (1, "error: there is no node 'n7' in execution retried")
    assert again.err == ("execution retried retries its failed nodes\nhint: `flytemp get execution retried` shows its progress\n")
    assert running.code == 1  # the stand-in does not know the update


@pytest.mark.parametrize("more", [[], ["3", "--file", "x"]])
async def test_value_and_file_exclude_each_other(more: list[str], client: Client) -> None:
    done = await call("set-input", "any", "gate", *more)

    assert (done.code, done.err.splitlines()[0]) == (2, "error: give either VALUE or --file")
