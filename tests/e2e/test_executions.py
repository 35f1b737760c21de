"""Executions on a real server with a real worker: results, failures, retries, time-outs, cancellation."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from flytemp.client import Client, ExecutionHandle, LaunchOptions
from flytemp.errors import AlreadyExists, ExecutionAborted, ExecutionFailed, InputError, NotFound, WaitTimeout
from flytemp.records.models import Execution, NodeExecution, Phase
from tests.installation import DEADLINE_SECONDS, Installation

pytestmark = pytest.mark.e2e


async def launched(client: Client, target: str, **inputs: object) -> Execution:
    handle: ExecutionHandle[object] = await client.launch(target, inputs=inputs)
    return await handle.wait(DEADLINE_SECONDS)


def node(execution: Execution, identifier: str) -> NodeExecution:
    return next(node for node in execution.nodes if node.id == identifier)


@pytest.mark.parametrize(
    ("target", "inputs", "outputs"),
    [
        pytest.param("shapes.diamond", {"x": 3}, {"o0": 19}, id="diamond"),
        pytest.param("shapes.diamond", {}, {"o0": 13}, id="signature default"),
        pytest.param("shapes.nested", {"x": 1}, {"o0": 98}, id="nested sub-workflows"),
        pytest.param("shapes.fields", {"x": 4}, {"o0": 8}, id="attribute of a dataclass"),
        pytest.param("shapes.files", {"text": "hello"}, {"o0": "hello"}, id="a file between tasks"),
        pytest.param("shapes.by_reference", {"n": 20_000}, {"o0": 199_990_003}, id="outputs too large for a history"),
        pytest.param("diamond-of-5", {}, {"o0": 25}, id="launch plan default"),
        pytest.param("diamond-of-5", {"x": 1}, {"o0": 13}, id="launch plan default overridden"),
        pytest.param("plan", {}, {"o0": 25}, id="launch plan by its variable"),
        pytest.param("diamond-of-7", {}, {"o0": 31}, id="fixed input"),
        pytest.param("shapes.add", {"a": 1, "b": 2}, {"o0": 3}, id="a task by itself"),
        pytest.param("wf:default:development:shapes.diamond", {"x": 2}, {"o0": 16}, id="URN"),
        pytest.param("shapes.empty", {}, {}, id="no nodes"),
    ],
)
async def test_succeeds(client: Client, target: str, inputs: dict[str, object], outputs: dict[str, object]) -> None:
    execution = await launched(client, target, **inputs)

    assert execution.phase is Phase.SUCCEEDED, execution.error
    assert execution.outputs == outputs
    assert all(n.phase is Phase.SUCCEEDED for n in execution.nodes)


async def test_a_failure_names_the_node_the_task_and_the_users_line(client: Client) -> None:
    execution = await launched(client, "shapes.breaks", x=4)

    assert execution.phase is Phase.FAILED
    assert execution.error is not None
    assert (execution.error.code, execution.error.node, execution.error.task) == ("ValueError", "n1", "shapes.fails")
    assert execution.error.message == "cannot do 8"
    assert execution.error.traceback is not None
    assert "shapes.py" in execution.error.traceback
    assert "flytemp/runtime" not in execution.error.traceback
    assert [n.phase for n in execution.nodes] == [Phase.SUCCEEDED, Phase.FAILED, Phase.SKIPPED]


@pytest.mark.parametrize("levels", [101, 254])
async def test_value_nested_too_deep_fails_its_task_without_a_retry(client: Client, levels: int) -> None:
    execution = await launched(client, "shapes.deep", levels=levels)

    assert execution.phase is Phase.FAILED
    assert execution.error is not None
    assert (execution.error.node, execution.error.task, execution.error.kind) == ("n0", "shapes.nested_value", "USER")
    assert f"{levels} levels deep" in execution.error.message
    assert node(execution, "n0").attempts == 1
    assert (await launched(client, "shapes.deep", levels=100)).outputs == {"o0": 1}


async def test_retries_with_back_off_until_it_succeeds(client: Client, tmp_path: Path) -> None:
    execution = await launched(client, "shapes.flaky", folder=str(tmp_path / "attempts"))

    assert execution.outputs == {"o0": 3}
    attempts = node(execution, "n0").attempt_history
    assert [attempt.phase for attempt in attempts] == [Phase.FAILED, Phase.FAILED, Phase.SUCCEEDED]
    assert [attempt.error.message for attempt in attempts if attempt.error] == ["attempt 1", "attempt 2"]


async def test_a_non_recoverable_error_is_not_tried_again(client: Client) -> None:
    execution = await launched(client, "shapes.gives_up", a=1)

    assert execution.phase is Phase.FAILED
    assert node(execution, "n0").attempts == 1


async def test_a_time_out_kills_the_task(client: Client) -> None:
    execution = await launched(client, "shapes.sleeps_too_long")

    assert execution.phase is Phase.FAILED
    assert node(execution, "n0").phase is Phase.TIMED_OUT
    assert execution.error is not None
    assert execution.error.code == "Timeout"


async def test_a_crash_is_reported_with_its_cause(client: Client) -> None:
    execution = await launched(client, "shapes.crash")

    assert execution.phase is Phase.FAILED
    assert execution.error is not None
    assert "code 3" in execution.error.message


async def test_no_credential_of_the_worker_reaches_a_task(client: Client) -> None:
    names = ["TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "FLYTEMP_STORE", "AWS_SECRET_ACCESS_KEY", "PATH"]
    execution = await launched(client, "shapes.show_environment", names=names)

    assert execution.outputs == {"o0": ["PATH"]}


async def running(handle: ExecutionHandle[object], folder: Path) -> None:
    """Wait until the task has started and is reported as running."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not folder.exists() or not list(folder.iterdir()) or not await is_reported(handle):
            await asyncio.wait([asyncio.ensure_future(handle.describe())])


async def is_reported(handle: ExecutionHandle[object]) -> bool:
    return any(found.kind == "task" and found.phase is Phase.RUNNING for found in (await handle.describe()).nodes)


async def test_cancel_stops_the_task_and_records(client: Client, tmp_path: Path) -> None:
    folder = tmp_path / "started"
    handle = await client.launch("waiting", inputs={"folder": str(folder)})
    await running(handle, folder)
    live = await handle.describe()
    assert live.phase is Phase.RUNNING
    assert node(live, "n0").phase is Phase.RUNNING
    assert node(live, "n1").phase is Phase.QUEUED

    await handle.cancel("enough")
    execution = await handle.wait(DEADLINE_SECONDS)

    assert execution.phase is Phase.ABORTED
    assert execution.error is not None
    assert "enough" in execution.error.message
    assert [n.phase for n in execution.nodes] == [Phase.ABORTED, Phase.SKIPPED]
    pid = next(folder.iterdir()).name.removeprefix("pid-")
    assert not Path(f"/proc/{pid}").exists()
    with pytest.raises(ExecutionAborted):
        await handle.outputs()


async def test_a_terminated_execution_is_shown_as_ended(client: Client, tmp_path: Path) -> None:
    folder = tmp_path / "started"
    handle = await client.launch("waiting", inputs={"folder": str(folder)})
    await running(handle, folder)

    await handle.terminate("out of patience")
    execution = await handle.wait(DEADLINE_SECONDS)

    assert execution.phase is Phase.ABORTED
    assert execution.error is not None
    assert "out of patience" in execution.error.message
    assert [n.phase for n in execution.nodes] == [Phase.ABORTED, Phase.SKIPPED]
    pid = next(folder.iterdir()).name.removeprefix("pid-")
    async with asyncio.timeout(DEADLINE_SECONDS):
        while Path(f"/proc/{pid}").exists():
            await asyncio.wait([asyncio.ensure_future(handle.describe())])


async def test_the_same_name_with_the_same_content_is_the_same_execution(client: Client) -> None:
    first = await client.launch("shapes.diamond", inputs={"x": 3}, name="same-name")
    again = await client.launch("shapes.diamond", inputs={"x": 3}, name="same-name")

    assert (await first.wait(DEADLINE_SECONDS)).run_id == (await again.wait(DEADLINE_SECONDS)).run_id
    with pytest.raises(AlreadyExists, match="same-name"):
        await client.launch("shapes.diamond", inputs={"x": 4}, name="same-name")


async def test_waiting_stops_at_the_time_limit(client: Client, tmp_path: Path) -> None:
    handle = await client.launch("waiting", inputs={"folder": str(tmp_path / "started")})

    with pytest.raises(WaitTimeout, match=handle.name):
        await handle.wait(0.2)
    await handle.cancel("the test is over")
    await handle.wait(DEADLINE_SECONDS)


async def test_outputs_of_a_failure_raise(client: Client) -> None:
    handle = await client.launch("shapes.breaks", inputs={"x": 1})

    with pytest.raises(ExecutionFailed, match="cannot do 2"):
        await handle.outputs(DEADLINE_SECONDS)


@pytest.mark.parametrize(
    ("target", "inputs", "message"),
    [
        pytest.param("shapes.diamond", {"y": 1}, "'y'", id="unknown"),
        pytest.param("shapes.nested", {}, "'x'", id="missing"),
        pytest.param("shapes.diamond", {"x": "three"}, "'x'", id="wrong type"),
        pytest.param("diamond-of-7", {"x": 1}, "'x'", id="fixed"),
        pytest.param("shapes.large", {"n": 2**70}, "64", id="not an int64"),
    ],
)
async def test_bad_inputs_are_refused_before_anything_starts(
    client: Client, target: str, inputs: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        await client.launch(target, inputs=inputs)


async def test_an_unknown_name_has_near_matches(client: Client) -> None:
    with pytest.raises(NotFound) as caught:
        await client.launch("diamand")
    assert caught.value.hint is not None
    assert "diamond" in caught.value.hint


async def test_options_are_recorded(client: Client) -> None:
    options = LaunchOptions(labels={"team": "research"}, annotations={"why": "a test"}, max_parallelism=1)
    handle = await client.launch("shapes.diamond", options=options)
    execution = await handle.wait(DEADLINE_SECONDS)

    assert execution.labels == {"team": "research"}
    assert execution.annotations == {"why": "a test"}
    description = await client.temporal.get_workflow_handle(handle.workflow_id).describe()
    attributes = {pair.key.name: pair.value for pair in description.typed_search_attributes}
    assert attributes["FlytempWorkflow"] == "shapes.diamond"
    assert attributes["FlytempLabels"] == ["team=research"]


async def test_large_inputs_travel_through_the_store(client: Client) -> None:
    execution = await launched(client, "shapes.total", values=list(range(30_000)), first=1)

    assert execution.outputs == {"o0": 449_985_001}


async def test_logs(client: Client) -> None:
    handle = await client.launch("shapes.diamond", inputs={"x": 3})
    await handle.wait(DEADLINE_SECONDS)

    chunks = [chunk async for chunk in handle.logs()]
    assert "adding 3 and 10" in "".join(chunk.text for chunk in chunks)
    only = [chunk async for chunk in handle.logs("n2")]
    assert "".join(chunk.text for chunk in only) == "adding 6 and 13\n"
    with pytest.raises(NotFound, match="n9"):
        [chunk async for chunk in handle.logs("n9")]


async def test_lists_and_records(client: Client) -> None:
    handle = await client.launch("shapes.diamond", inputs={"x": 3}, name="in-the-list")
    execution = await handle.wait(DEADLINE_SECONDS)

    found = [summary for summary in await client.executions(limit=200) if summary.name == "in-the-list"]
    assert len(found) == 1
    assert found[0].phase is Phase.SUCCEEDED
    assert execution.metadata_uri is not None
    assert Path(execution.metadata_uri.removeprefix("file://"), "record.json").is_file()


CHANGES_ITS_CODE = '''
from pathlib import Path

from flytemp import task, workflow

HERE = Path(__file__).parent


@task
def change() -> str:
    for path in (HERE, HERE / "data.txt", HERE / "late.py"):
        path.chmod(0o777)
    (HERE / "data.txt").write_text("changed")
    (HERE / "late.py").write_text("VALUE = 'changed'")
    (HERE / "extra.txt").write_text("")
    return (HERE / "data.txt").read_text()


@task
def look(changed: str) -> list[str]:
    import late

    return [changed, (HERE / "data.txt").read_text(), late.VALUE, str((HERE / "extra.txt").exists())]


@workflow
def changed_code() -> list[str]:
    return look(changed=change())
'''


async def test_code_that_a_task_changes_is_restored_for_the_next_task(client: Client, shapes: Installation) -> None:
    folder = shapes.folder / "changing-project"
    folder.mkdir()
    (folder / "changing.py").write_text(CHANGES_ITS_CODE)
    (folder / "late.py").write_text("VALUE = 'registered'")
    (folder / "data.txt").write_text("registered")
    shapes.flytemp("register", str(folder))
    execution = await launched(client, "changing.changed_code")

    assert execution.phase is Phase.SUCCEEDED, execution.error
    assert execution.outputs == {"o0": ["changed", "registered", "registered", "False"]}
