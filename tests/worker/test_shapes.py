"""Tests of every kind of node on a real server."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus

from flytemp.client import Client, LaunchOptions
from flytemp.errors import FlytempError, TypeMismatch
from flytemp.records.models import Execution, Phase
from flytemp_worker.devserver import DevServer
from tests.worker import shapes
from tests.worker.serving import ThreadBackend, connect, serving

pytestmark = pytest.mark.e2e


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    shapes.SEEN.clear()
    shapes.BROKEN.clear()
    yield
    shapes.HOLDS.release()


@pytest.fixture
async def client(server: DevServer, tmp_path: Path) -> AsyncIterator[Client]:
    connected = await connect(server, tmp_path, shapes.ENTITIES)
    yield connected
    await connected.close()


@pytest.fixture
def backend(client: Client) -> ThreadBackend:
    return ThreadBackend(client.store)


async def run(client: Client, name: str, inputs: dict[str, Any], **options: Any) -> Execution:
    handle = await client.launch(name, inputs=inputs, options=LaunchOptions(**options))
    return await handle.wait(shapes.DEADLINE_SECONDS)


async def eventually(condition: Any) -> Any:
    """Wait until the condition is true."""
    async with asyncio.timeout(shapes.DEADLINE_SECONDS):
        while not (found := condition() if not asyncio.iscoroutinefunction(condition) else await condition()):
            await asyncio.sleep(0.05)
        return found


def phases(execution: Execution) -> dict[str, str]:
    return {node.id: str(node.phase) for node in execution.nodes}


@pytest.mark.parametrize(
    ("name", "inputs", "outputs"),
    [
        pytest.param("mapped", {"n": 0}, {"o0": 0}, id="empty map"),
        pytest.param("mapped", {"n": 5}, {"o0": 20}, id="map"),
        pytest.param("mapped_inner", {"n": 3}, {"o0": 9}, id="map over a workflow"),
        pytest.param("mapped_odd", {"n": 6}, {"o0": 3}, id="map with failures"),
        pytest.param("mapped_groups", {"n": 8}, {"o0": 4}, id="map in groups"),
        pytest.param("mapped_texts", {"n": 3, "size": 5_000}, {"o0": [5_000] * 3}, id="map of long texts"),
        pytest.param("spread_twice", {"n": 4}, {"o0": 24}, id="dynamic"),
        pytest.param("either", {"x": 12}, {"o0": 25}, id="branch"),
        pytest.param("either", {"x": 10}, {"o0": 11}, id="another branch"),
        pytest.param("parent", {"x": 4}, {"o0": 18}, id="child launch plans"),
        pytest.param("either_mapped", {"n": 4}, {"o0": 12}, id="map in a branch"),
        pytest.param("slept", {"x": 4}, {"o0": 5}, id="sleep"),
        pytest.param("long_chain", {"x": 1}, {"o0": 63}, id="chain"),
    ],
)
@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({}, id="at once"),
        pytest.param({"continue_as_new_events": 20, "max_map_items": 2}, id="in pieces"),
    ],
)
async def test_outputs_equal_those_of_a_python_call(
    client: Client, backend: ThreadBackend, name: str, inputs: dict[str, Any], outputs: dict[str, Any], settings: dict[str, int]
) -> None:
    async with serving(client, backend, **settings):
        execution = await run(client, name, inputs)
    assert (execution.phase, execution.outputs) == (Phase.SUCCEEDED, outputs), execution.error


async def test_gates_take_answers_before_and_after_they_open(client: Client, backend: ThreadBackend) -> None:
    shapes.HOLDS.hold("double 3")
    async with serving(client, backend):
        handle = await client.launch("gated", inputs={"x": 3})
        await eventually(lambda: "double 3" in shapes.HOLDS.waiting)
        with pytest.raises(TypeMismatch):
            await handle.set_input("more", "many")
        with pytest.raises(FlytempError, match="'elsewhere'"):
            await handle.approve("elsewhere")
        await handle.approve("enough", reason="it is")  # the gate does not wait yet
        shapes.HOLDS.release()

        async def waits() -> bool:
            return [gate.name for gate in await client.waiting_gates() if gate.execution == handle.name] == ["more"]

        live = await handle.describe()
        assert {node.id: str(node.phase) for node in live.nodes if node.kind == "gate"}["n0"] == "RUNNING"
        await handle.set_input("more", 5)
        execution = await handle.wait(shapes.DEADLINE_SECONDS)
        with pytest.raises(FlytempError):
            await handle.approve("enough")

    assert execution.outputs == {"o0": 11}
    gates = {node.gate.name: node.gate.answer for node in execution.nodes if node.gate is not None}
    assert gates["enough"] is not None
    assert (gates["enough"].approved, gates["enough"].reason) == (True, "it is")
    assert gates["enough"].by
    assert gates["enough"].at is not None
    assert gates["more"] is not None
    assert gates["more"].value == 5


async def test_rejected_gate_fails(client: Client, backend: ThreadBackend) -> None:
    async with serving(client, backend):
        handle = await client.launch("gated", inputs={"x": 3})
        await handle.reject("enough", reason="too much")
        execution = await handle.wait(shapes.DEADLINE_SECONDS)
    assert execution.phase is Phase.FAILED
    assert execution.error is not None
    assert execution.error.code == "ReceivedRejectSignal"
    assert "too much" in execution.error.message


@pytest.mark.parametrize("items", [10, 2])
async def test_gates_in_chunks_are_answered_through_the_execution(
    client: Client, backend: ThreadBackend, items: int
) -> None:
    async with serving(client, backend, max_map_items=items):
        handle = await client.launch("gated_items", inputs={"xs": [1, 2, 3]})
        await handle.approve("enough")
        await handle.set_input("more", 1)
        execution = await handle.wait(shapes.DEADLINE_SECONDS)
    assert execution.outputs == {"o0": [3, 5, 7]}, execution.error


async def test_gates_in_chunks_take_the_answers_that_were_given_before(client: Client, backend: ThreadBackend) -> None:
    shapes.HOLDS.hold("double 1")
    async with serving(client, backend, max_map_items=2):
        handle = await client.launch("gated_results", inputs={"x": 1})
        await eventually(lambda: "double 1" in shapes.HOLDS.waiting)
        await handle.approve("enough")
        await handle.set_input("more", 1)
        shapes.HOLDS.release()
        execution = await handle.wait(shapes.DEADLINE_SECONDS)
    assert execution.outputs == {"o0": [5, 5, 7]}, execution.error


async def test_pause_starts_no_further_tasks(client: Client, backend: ThreadBackend) -> None:
    shapes.HOLDS.hold("double 1")
    async with serving(client, backend):
        handle = await client.launch("long_chain", inputs={"x": 1})
        await eventually(lambda: "double 1" in shapes.HOLDS.waiting)
        await handle.pause("lunch")
        shapes.HOLDS.release()
        paused = await eventually(lambda: len(shapes.SEEN) == 1)
        assert paused
        execution = await handle.describe()
        assert execution.phase is Phase.PAUSED
        assert execution.paused is not None
        assert execution.paused.reason == "lunch"
        assert backend.started == ["n0.n0"]
        await handle.resume()
        execution = await handle.wait(shapes.DEADLINE_SECONDS)
    assert (execution.phase, execution.outputs, execution.paused) == (Phase.SUCCEEDED, {"o0": 63}, None)


async def test_failure_node_of_a_paused_execution_runs_all_items_of_its_chunks(client: Client, backend: ThreadBackend) -> None:
    shapes.HOLDS.hold("double 1")
    async with serving(client, backend, max_map_items=2, max_parallelism=1):
        handle = await client.launch("guarded_by_map", inputs={"x": 1})
        await eventually(lambda: "double 1" in shapes.HOLDS.waiting)
        await handle.pause("lunch")
        await handle.cancel("enough")
        shapes.HOLDS.release()
        execution = await handle.wait(shapes.DEADLINE_SECONDS)
    assert execution.phase is Phase.ABORTED
    assert set(shapes.SEEN) == {"double 1", "double 10", "double 11", "double 12"}


@pytest.mark.parametrize(("name", "inputs"), [("two_steps", {"name": "second"}), ("parent_of_failing", {"name": "second"})])
async def test_retry_continues_a_failed_execution_at_its_failed_nodes(
    client: Client, backend: ThreadBackend, name: str, inputs: dict[str, Any]
) -> None:
    shapes.BROKEN.add("second")
    async with serving(client, backend):
        handle = await client.launch(name, inputs=inputs, name=f"again-{uuid.uuid4().hex[:8]}")
        failed = await handle.wait(shapes.DEADLINE_SECONDS)
        assert failed.phase is Phase.FAILED
        started = list(backend.started)
        shapes.BROKEN.clear()
        handle = await handle.retry()
        execution = await handle.wait(shapes.DEADLINE_SECONDS)
    assert execution.phase is Phase.SUCCEEDED, execution.error
    assert execution.started_at == failed.started_at
    again = backend.started[len(started) :]
    if name == "two_steps":
        assert again == ["n1", "n3"]
        assert {node.id: node.attempts for node in execution.nodes} == {"n0": 1, "n1": 2, "n2": 1, "n3": 1}


@pytest.mark.parametrize("items", [10, 2])
async def test_retry_repeats_the_failed_items_of_a_map(client: Client, backend: ThreadBackend, items: int) -> None:
    shapes.BROKEN.add("sick")
    async with serving(client, backend, max_map_items=items):
        handle = await client.launch("mapped_fragile", inputs={"xs": [1, 2, 3, 4, 5]}, name=f"map-{uuid.uuid4().hex[:8]}")
        assert (await handle.wait(shapes.DEADLINE_SECONDS)).phase is Phase.FAILED
        shapes.BROKEN.clear()
        handle = await handle.retry()
        execution = await handle.wait(shapes.DEADLINE_SECONDS)
    assert (execution.phase, execution.outputs) == (Phase.SUCCEEDED, {"o0": 15}), execution.error


async def test_node_is_retried_while_others_run(client: Client, backend: ThreadBackend) -> None:
    shapes.BROKEN.add("sick")
    shapes.HOLDS.hold("double 3")
    async with serving(client, backend):
        handle = await client.launch("stubborn", inputs={"x": 3})

        async def failed() -> bool:
            return phases(await handle.describe()).get("n0") == "FAILED"

        await eventually(failed)
        with pytest.raises(FlytempError, match="n2"):
            await handle.retry(["n2"])  # the node is running
        shapes.BROKEN.clear()
        await handle.retry(["n0"])
        shapes.HOLDS.release()
        execution = await handle.wait(shapes.DEADLINE_SECONDS)
    assert (execution.phase, execution.outputs) == (Phase.SUCCEEDED, {"o0": 10}), execution.error
    assert {node.id: node.attempts for node in execution.nodes} == {"n0": 2, "n1": 1, "n2": 1, "n3": 1}


async def test_gate_ignores_an_early_answer_of_another_type(client: Client, backend: ThreadBackend) -> None:
    async with serving(client, backend):
        shapes.HOLDS.hold("late")
        handle = await client.launch("late_gate", inputs={"x": 1})
        await handle.set_input("late", "many")  # the gate does not exist yet
        shapes.HOLDS.release()

        async def waits() -> bool:
            live = await handle.describe()
            return any(node.gate is not None and "does not fit" in (node.message or "") for node in live.nodes)

        await eventually(waits)
        await handle.set_input("late", 4)
        execution = await handle.wait(shapes.DEADLINE_SECONDS)
    assert (execution.phase, execution.outputs) == (Phase.SUCCEEDED, {"o0": 5}), execution.error


async def test_retry_continues_a_cancelled_execution(client: Client, backend: ThreadBackend) -> None:
    shapes.HOLDS.hold("double 1")
    async with serving(client, backend):
        handle = await client.launch("long_chain", inputs={"x": 1})
        await eventually(lambda: "double 1" in shapes.HOLDS.waiting)
        await handle.cancel("wait")
        assert (await handle.wait(shapes.DEADLINE_SECONDS)).phase is Phase.ABORTED
        shapes.HOLDS.release()
        handle = await handle.retry()
        execution = await handle.wait(shapes.DEADLINE_SECONDS)
    assert (execution.phase, execution.outputs) == (Phase.SUCCEEDED, {"o0": 63}), execution.error


async def test_failure_node_runs_last(client: Client, backend: ThreadBackend) -> None:
    shapes.BROKEN.add("sick")
    async with serving(client, backend):
        execution = await run(client, "guarded", {"name": "sick"})
    assert execution.phase is Phase.FAILED
    assert execution.error is not None
    assert (execution.error.node, execution.error.code) == ("n0", "ValueError")
    assert shapes.SEEN[-1] == "clean up sick: n0"
    assert phases(execution)["fn0"] == "SUCCEEDED"


async def test_cancelled_execution_waits_for_its_failure_node(client: Client, backend: ThreadBackend) -> None:
    shapes.HOLDS.hold("double 7", "clean up a")
    async with serving(client, backend):
        handle = await client.launch("guarded", inputs={"name": "a"})
        await eventually(lambda: "double 7" in shapes.HOLDS.waiting)
        await handle.cancel("enough")
        await eventually(lambda: "clean up a" in shapes.HOLDS.waiting)
        assert not (await handle.describe()).phase.is_final
        shapes.HOLDS.release()
        execution = await handle.wait(shapes.DEADLINE_SECONDS)
    assert execution.phase is Phase.ABORTED
    assert phases(execution)["fn0"] == "SUCCEEDED"


async def test_error_of_a_child_execution_is_in_the_error_of_its_parent(client: Client, backend: ThreadBackend) -> None:
    shapes.BROKEN.add("second")
    async with serving(client, backend):
        execution = await run(client, "parent_of_failing", {"name": "second"})
        assert execution.error is not None
        assert execution.error.code == "ValueError"
        assert "second is broken" in execution.error.message
        child = next(node for node in execution.nodes if node.kind == "launch_plan")
        assert child.child_execution is not None
        record = await (await client.find(child.child_execution)).describe()
    assert record.phase is Phase.FAILED
    assert record.launch_plan == "shapes-failing"


async def test_child_executions_inherit_options_and_have_their_own_records(client: Client, backend: ThreadBackend) -> None:
    async with serving(client, backend):
        execution = await run(client, "parent", {"x": 1}, max_parallelism=3, labels={"of": "parent"})
        children = [node.child_execution for node in execution.nodes]
        records = [await (await client.find(child)).describe() for child in children if child]
    assert len(records) == 2
    assert {record.outputs["o0"] for record in records if record.outputs} == {3}
    assert all(record.labels == {"of": "plan"} for record in records)


async def test_cancellation_stops_child_executions_and_chunks(client: Client, backend: ThreadBackend) -> None:
    shapes.HOLDS.hold("double 1")
    async with serving(client, backend, max_map_items=2):
        parent = await client.launch("parent", inputs={"x": 1})
        mapped = await client.launch("mapped", inputs={"n": 5})
        await eventually(lambda: len(backend.running()) == 3)
        await asyncio.gather(parent.cancel("enough"), mapped.cancel("enough"))
        ended = [await handle.wait(shapes.DEADLINE_SECONDS) for handle in (parent, mapped)]

        async def quiet() -> bool:
            query = f"TaskQueue = '{client.settings.task_queue}' AND ExecutionStatus = 'Running'"
            return not [run async for run in client.temporal.list_workflows(query)]

        assert await eventually(quiet)
    assert [execution.phase for execution in ended] == [Phase.ABORTED, Phase.ABORTED]
    assert not backend.running()


async def test_termination_stops_tasks_and_chunks(client: Client, backend: ThreadBackend) -> None:
    shapes.HOLDS.hold("double 1")
    async with serving(client, backend, max_map_items=2):
        mapped = await client.launch("mapped", inputs={"n": 5})
        await eventually(lambda: backend.running())
        await mapped.terminate("now")

        async def quiet() -> bool:
            query = f"TaskQueue = '{client.settings.task_queue}' AND ExecutionStatus = 'Running'"
            return not [run async for run in client.temporal.list_workflows(query)]

        assert await eventually(quiet)


async def test_workflow_timeout(client: Client, backend: ThreadBackend) -> None:
    shapes.HOLDS.hold("double 1")
    async with serving(client, backend):
        own = await run(client, "impatient", {"x": 1})
        asked = await run(client, "long_chain", {"x": 1}, timeout_seconds=1)
    assert (own.phase, asked.phase) == (Phase.TIMED_OUT, Phase.TIMED_OUT)
    assert own.error is not None
    assert own.error.code == "Timeout"
    assert "1 s" in own.error.message


async def test_endless_recursion_of_dynamic_tasks_fails(client: Client, backend: ThreadBackend) -> None:
    async with serving(client, backend, max_dynamic_depth=4):
        execution = await run(client, "endless", {"n": 0})
    assert execution.phase is Phase.FAILED
    assert execution.error is not None
    assert execution.error.code == "DynamicTooDeep"


@pytest.mark.parametrize("items", [1_000, 3])
async def test_chunks_share_the_parallelism_of_the_execution(client: Client, backend: ThreadBackend, items: int) -> None:
    async with serving(client, backend, max_map_items=items):
        execution = await run(client, "mapped_inner", {"n": 10}, max_parallelism=2)
    assert execution.outputs == {"o0": 100}
    assert backend.most <= 2


async def test_terminated_child_execution_fails_its_parent(client: Client, backend: ThreadBackend) -> None:
    shapes.HOLDS.hold("double 1")
    async with serving(client, backend):
        handle = await client.launch("parent", inputs={"x": 1})
        await eventually(lambda: len(backend.running()) == 2)
        live = await handle.describe()
        child = next(node.child_execution for node in live.nodes if node.child_execution)
        await client.temporal.get_workflow_handle(child).terminate()
        execution = await handle.wait(shapes.DEADLINE_SECONDS)
    assert execution.phase is Phase.FAILED
    description = await client.temporal.get_workflow_handle(handle.workflow_id).describe()
    assert description.status is WorkflowExecutionStatus.FAILED


async def test_terminated_chunk_is_started_again(client: Client, backend: ThreadBackend) -> None:
    shapes.HOLDS.hold("double 1")
    async with serving(client, backend, max_map_items=2):
        handle = await client.launch("mapped", inputs={"n": 5})
        await eventually(lambda: backend.started.count("n1.0") and backend.started.count("n1.4"))
        part = f"{handle.workflow_id}/n1/0.1"
        await client.temporal.get_workflow_handle(part).terminate()
        await asyncio.sleep(1)
        shapes.HOLDS.release()
        execution = await handle.wait(shapes.DEADLINE_SECONDS)
    assert (execution.phase, execution.outputs) == (Phase.SUCCEEDED, {"o0": 20}), execution.error
    assert backend.started.count("n1.0") == 1
