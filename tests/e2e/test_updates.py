"""Updates that any Temporal client can send to an execution, with the JSON of the launch reference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError

from flytemp.client import Client
from tests.installation import Installation

pytestmark = pytest.mark.e2e

PROGRAM = """
from pathlib import Path
from flytemp import approve, task, wait_for_input, workflow

@task
def draft(topic: str) -> str:
    return f"about {topic}"

@task
def publish(title: str, text: str) -> str:
    return f"{title}: {text}"

@task
def read(path: str) -> str:
    return Path(path).read_text()

@workflow
def updates_gates(topic: str) -> str:
    text = approve(draft(topic=topic), "good-draft", timeout=None)
    return publish(title=wait_for_input("title", timeout=None, expected_type=str), text=text)

@workflow
def updates_reads(path: str) -> str:
    return publish(title="read", text=read(path=path))
"""


@pytest.fixture(scope="module")
def here(installation: Installation) -> Installation:
    folder = installation.folder / "updates"
    folder.mkdir()
    (folder / "updates.py").write_text(PROGRAM)
    installation.flytemp("register", str(folder))
    return installation


async def start(client: Client, name: str, launch_plan: str, **inputs: Any) -> WorkflowHandle[Any, Any]:
    return await client.temporal.start_workflow(
        "FlytempWorkflow",
        {"launch_plan": launch_plan, "inputs": inputs},
        id=f"ex:default:development:{name}",
        task_queue="flytemp",
    )


async def refused(handle: WorkflowHandle[Any, Any], update: str, argument: dict[str, Any]) -> tuple[str | None, bool]:
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await handle.execute_update(update, argument)
    cause = caught.value.cause
    assert isinstance(cause, ApplicationError)
    return cause.type, bool(cause.details)


async def test_answers_pauses_and_refusals(here: Installation) -> None:
    client = await here.client()
    handle = await start(client, "updates-1", "updates_gates", topic="whales")
    answer = "flytemp.answer"
    assert await handle.execute_update("flytemp.pause", {"reason": "maintenance", "by": "ops"}) == {}
    assert await handle.execute_update("flytemp.resume", {"by": "ops"}) == {}
    assert await handle.execute_update("flytemp.resume", {}) == {}
    assert await refused(handle, answer, {"gate": "titel", "value": "x"}) == ("not-found", True)
    assert (await refused(handle, answer, {"gate": "title", "value": 3}))[0] == "wrong-type"
    assert (await refused(handle, answer, {"gate": "title", "approved": True}))[0] == "wrong-type"
    assert (await refused(handle, answer, {"gate": "title"}))[0] == "invalid-input"
    assert (await refused(handle, "flytemp.retry", {"nodes": ["n0"]}))[0] == "invalid-input"
    assert (await refused(handle, "flytemp.retry", {"nodes": ["n77"]}))[0] == "not-found"
    waiting = (await (await handle.describe()).memo())["flytemp.waiting"]
    assert {"node", "gate", "kind", "type", "since"} == set(waiting[0])
    given = await handle.execute_update(answer, {"gate": "title", "value": "All about whales", "by": "editor"})
    assert given == {"nodes": ["n2"]}
    assert (await refused(handle, answer, {"gate": "title", "value": "again"}))[0] == "already-exists"
    await handle.execute_update(answer, {"gate": "n1", "approved": True, "by": "editor"})
    assert (await handle.result())["outputs"] == {"o0": "All about whales: about whales"}
    await client.close()


async def test_a_finished_execution_can_be_retried(here: Installation, tmp_path: Path) -> None:
    client = await here.client()
    file = tmp_path / "text"
    handle = await start(client, "updates-2", "updates_reads", path=str(file))
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    file.write_text("it is there")
    again = await client.temporal.start_workflow(
        "FlytempWorkflow",
        {"launch_plan": "updates_reads", "retry": {"nodes": [], "by": "ops"}},
        id=handle.id,
        task_queue="flytemp",
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
    )
    assert (await again.result())["outputs"] == {"o0": "read: it is there"}
    assert (await again.describe()).status is WorkflowExecutionStatus.COMPLETED
    execution = await (await client.find(handle.id)).describe()
    assert [(node.id, node.attempts) for node in execution.nodes] == [("n0", 2), ("n1", 1)]
    await client.close()
