"""Tests that nothing a Temporal client sends leaves an execution open or blocks its workflow task.

The tables below have starts, updates and signals that are wrong in every way that Temporal's API permits.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import pytest
import pytest_asyncio
from temporalio.api.common.v1 import Payload
from temporalio.client import WithStartWorkflowOperation, WorkflowFailureError, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.common import RawValue, WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError

from bench.failed_tasks import is_failed_task
from flytemp import LaunchPlan, approve, map_task, task, wait_for_input, workflow
from flytemp.client import Client
from flytemp.names import execution_name
from flytemp.records.models import Phase
from flytemp_worker.devserver import DevServer
from tests.worker.serving import ThreadBackend, connect, serving

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="module")]

DEADLINE_SECONDS = 60.0
LAUNCH = "FlytempWorkflow"
CHUNK = "FlytempMapPart"


@task
def double(x: int) -> int:
    return 2 * x


@workflow
def asks(x: int) -> int:
    return double(x=wait_for_input("inner", timeout=None, expected_type=int))


asks_plan = LaunchPlan.get_or_create(asks, "asks-plan")


@workflow
def victim(xs: list[int]) -> tuple[int, list[int], int]:
    """A target of messages: a gate, a child execution that waits, and a map in chunks whose calls wait."""
    return approve(double(x=1), "go", timeout=None), map_task(asks)(x=xs), asks_plan(x=3)


@workflow
def doubles(xs: list[int]) -> list[int]:
    return map_task(double)(x=xs)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(server: DevServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    connected = await connect(server, tmp_path_factory.mktemp("messages"), [double, doubles, asks, asks_plan, victim])
    async with serving(connected, ThreadBackend(connected.store), max_map_items=2):
        yield connected
    await connected.close()


def raw(data: bytes, encoding: str = "json/plain", more: Mapping[str, bytes] | None = None) -> RawValue:
    return RawValue(Payload(metadata={"encoding": encoding.encode(), **(more or {})}, data=data))


def deep(levels: int) -> RawValue:
    return raw(b'{"launch_plan": "double", "inputs": {"x": ' + b"[" * levels + b"]" * levels + b"}}")


def launch(**more: Any) -> dict[str, Any]:
    return {"launch_plan": "double", "inputs": {"x": 1}, **more}


RESOLVED: dict[str, Any] = {
    "root": "executions/nowhere", "execution": "e", "project": "default", "domain": "development", "workflow": "w",
    "version": "v1", "settings": {"task_queue": "nowhere"}, "plan_pages": 1,
}  # fmt: skip
PART: dict[str, Any] = {
    "parent": "nobody", "execution_id": "e", "node": "n0", "name": "n0/1/0", "chunk": 0, "attempt": 1, "source": "", "graph": "g",
    "local": "n0", "first": 0, "count": 1, "width": 1, "given": {}, "max_failures": 0,
}  # fmt: skip
STATE: dict[str, Any] = {"resolved": RESOLVED, "generation": 1, "pages": 1, "first_run_id": "r"}

ANYTHING: list[tuple[str, list[Any]]] = [
    ("nothing", []),
    ("null", [None]),
    ("a number", [1]),
    ("a text", ["{}"]),
    ("a list", [[launch()]]),
    ("an empty object", [{}]),
    ("two arguments", [launch(), launch()]),
    ("two arguments, one undecodable", [launch(), raw(b"x", "binary/encrypted")]),
    ("a hundred arguments", [launch()] * 100),
    ("bytes", [b"\xff\x00"]),
    ("an unknown encoding", [raw(b"{}", "binary/encrypted")]),
    ("a long unknown encoding", [raw(b"{}", "x" * 50_000)]),
    ("no encoding", [RawValue(Payload(data=b"{}"))]),
    ("an unknown protobuf", [raw(b"{}", "json/protobuf", {"messageType": b"no.such.Type"})]),
    ("invalid UTF-8", [raw(b'{"launch_plan": "\xff"}')]),
    ("invalid JSON", [raw(b'{"launch_plan": ')]),
    ("the mark of several arguments", [raw(b"{}", more={"flytemp-argument-count": b"\xff"})]),
    ("a number of 5,000 digits", [raw(b'{"launch_plan": ' + b"9" * 5_000 + b"}")]),
    ("200 levels", [deep(200)]),
    ("100,000 levels", [deep(100_000)]),
]

LAUNCHES: list[tuple[str, list[Any]]] = [
    ("an unknown plan", [launch(launch_plan="nothing")]),
    ("a long unknown plan", [launch(launch_plan="x" * 1_000_000)]),
    ("a plan of another type", [launch(launch_plan=["double"])]),
    ("a plan with a lone surrogate", [raw(b'{"launch_plan": "\\ud800"}')]),
    ("an input with a lone surrogate", [raw(b'{"launch_plan": "double", "inputs": {"\\udcff": 1}}')]),
    ("an unknown field", [launch(**{"x" * 100_000: 1})]),
    ("many unknown fields", [{f"field{number}": 1 for number in range(20_000)}]),
    ("many unknown inputs", [launch(inputs={f"input{number}": 1 for number in range(100_000)})]),
    ("a long input", [launch(inputs={"x": "x" * 1_900_000})]),
    ("a long input of escaped characters", [raw(json.dumps(launch(inputs={"x": "é" * 800_000}), ensure_ascii=False).encode())]),
    ("an infinite time-out", [raw(b'{"launch_plan": "double", "inputs": {"x": 1}, "options": {"timeout_seconds": Infinity}}')]),
    ("a long time-out", [launch(options={"timeout_seconds": 1e300})]),
    ("a time-out that is not a number", [raw(b'{"launch_plan": "double", "options": {"timeout_seconds": NaN}}')]),
    ("many labels", [launch(options={"labels": {f"label{number}": "é" * 100 for number in range(2_000)}})]),
    ("an empty parent", [launch(parent={"workflow_id": "", "node": "n0", "attempt": 1})]),
    ("a foreign parent", [launch(parent={"workflow_id": "somebody", "node": "n0", "attempt": 1})]),
    ("a parent of another type", [launch(parent="somebody")]),
    ("a state", [{"continued": STATE}]),
    ("a retry of nothing", [launch(retry={"nodes": []})]),
    ("a retry of another type", [launch(retry={"nodes": 5})]),
    ("a project with a slash", [launch(project="../..")]),
    ("a domain with a zero", [launch(domain="a\0b")]),
    ("a version with a slash", [launch(version="../../v1")]),
    ("foreign inputs", [launch(inputs_uri="file:///etc/passwd")]),
]

CHUNKS: list[tuple[str, list[Any]]] = [
    ("a chunk without a parent", [{"resolved": RESOLVED, "chunk": PART}]),
    ("a chunk without a plan", [{"chunk": PART}]),
    ("a plan without a chunk", [{"resolved": RESOLVED}]),
    ("a chunk of another type", [{"resolved": RESOLVED, "chunk": 5}]),
    ("a chunk with a text as number", [{"resolved": RESOLVED, "chunk": {**PART, "first": "0"}}]),
    ("a state of a chunk", [{"continued": {**STATE, "chunk": PART}}]),
]

STARTS = [
    *((LAUNCH, name, arguments) for name, arguments in ANYTHING + LAUNCHES),
    *((CHUNK, name, arguments) for name, arguments in ANYTHING + CHUNKS),
    *(("FlytempJanitor", name, arguments) for name, arguments in ANYTHING if name != "a text"),
    ("FlytempJanitor", "a long queue", ["q" * 1_001]),
]


async def test_every_invalid_start_fails_at_once(client: Client) -> None:
    results = await asyncio.gather(*(_result_of(client, *start) for start in STARTS))
    wrong = [f"{kind}, {name}: {result}" for (kind, name, _), result in zip(STARTS, results, strict=True) if result]
    assert wrong == []


async def _result_of(client: Client, kind: str, name: str, arguments: Sequence[Any]) -> str | None:
    """Start a workflow; return how its end differs from a clear failure that is not retried."""
    handle = await client.temporal.start_workflow(
        kind, args=arguments, id=f"foreign-{uuid.uuid4().hex}", task_queue=client.settings.task_queue
    )
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            return f"succeeded with {await handle.result()}"
    except TimeoutError:
        return "is open"
    except WorkflowFailureError as error:
        cause = error.cause
        if not isinstance(cause, ApplicationError):
            return f"ended with {cause!r}"
        if not cause.non_retryable or cause.type not in ("invalid-input", "invalid-name", "limit-exceeded", "not-found"):
            return f"failed with {cause.type}: {cause.message[:300]}"
        if len(cause.message) > 2_100:
            return f"failed with a message of {len(cause.message)} characters"
    return f"failed {failures} workflow tasks" if (failures := await _failed_tasks(handle)) else None


async def _failed_tasks(handle: WorkflowHandle[Any, Any]) -> int:
    """Return the number of workflow tasks that failed, other than because the machine was busy for two seconds."""
    failed = [event async for event in handle.fetch_history_events() if is_failed_task(event)]
    return sum("TMPRL1101" not in event.workflow_task_failed_event_attributes.failure.message for event in failed)


# -------------------------------------------------------------------------------- updates and signals

UPDATES: list[tuple[str, list[Any]]] = [
    *((f"flytemp.{update}", arguments) for update in ("answer", "retry") for _, arguments in ANYTHING),
    *(
        (f"flytemp.{update}", arguments)
        for update in ("pause", "resume")
        for name, arguments in ANYTHING
        if name not in ("nothing", "null", "an empty object", "the mark of several arguments")
    ),
    ("flytemp.answer", [{"gate": "go", "approved": True, "reason": {"a": 1}}]),
    ("flytemp.answer", [{"gate": "go", "approved": True, "reason": "x" * 5_001}]),
    ("flytemp.answer", [{"gate": "go", "approved": True, "by": ["ops"]}]),
    ("flytemp.answer", [{"gate": "go", "approved": "yes"}]),
    ("flytemp.answer", [{"gate": "go", "approved": 1}]),
    ("flytemp.answer", [{"gate": "go", "approved": True, "value": 1}]),
    ("flytemp.answer", [{"gate": ["go"], "approved": True}]),
    ("flytemp.answer", [{"gate": "", "approved": True}]),
    ("flytemp.answer", [{"gate": "g" * 1_001, "approved": True}]),
    ("flytemp.answer", [raw(b'{"gate": "go", "approved": true, "reason": "\\ud800"}')]),
    ("flytemp.answer", [{"gate": "inner", "value": "three"}]),
    ("flytemp.answer", [{"gate": "inner", "value": "x" * 10_000}]),
    ("flytemp.pause", [{"reason": {"a": 1}}]),
    ("flytemp.pause", [{"by": "x" * 501}]),
    ("flytemp.pause", [{"by": "ops"}, {}]),
    ("flytemp.resume", [{"by": 5}]),
    ("flytemp.retry", [{"nodes": 5}]),
    ("flytemp.retry", [{"nodes": [5]}]),
    ("flytemp.retry", [{"nodes": ["n77"] * 20_000}]),
    ("flytemp.unknown", [{}]),
]


def closed(**more: Any) -> dict[str, Any]:
    return {"node": "n3", "attempt": 1, "phase": "SUCCEEDED", **more}


SIGNALS: list[tuple[str, list[Any]]] = [
    *(
        (f"flytemp.{signal}", arguments)
        for signal in ("child_closed", "slots_released", "parent_message")
        for _, arguments in ANYTHING
    ),
    ("flytemp.unknown", [{}]),
    ("flytemp.child_closed", [closed(node="n99")]),
    ("flytemp.child_closed", [closed(node="n0")]),
    ("flytemp.child_closed", [closed(attempt=7)]),
    ("flytemp.child_closed", [closed(attempt=True)]),
    ("flytemp.child_closed", [closed(chunk=0)]),
    ("flytemp.child_closed", [closed(phase="BANANA")]),
    ("flytemp.child_closed", [closed(phase="RUNNING")]),
    ("flytemp.child_closed", [closed(counts=[1])]),
    ("flytemp.child_closed", [closed(outputs=[1])]),
    ("flytemp.child_closed", [closed(error="no")]),
    ("flytemp.child_closed", [closed(node="n2", chunk=-5)]),
    ("flytemp.child_closed", [closed(node="n2", chunk=99)]),
    ("flytemp.child_closed", [closed(node="n2", chunk=0, counts=[-1, 0])]),
    ("flytemp.child_closed", [closed(node="n2", chunk=0, counts=[1_000, 0])]),
    ("flytemp.slots_released", [{"node": "n2", "chunk": 0, "attempt": 1, "width": -5}]),
    ("flytemp.slots_released", [{"node": "n99", "chunk": 0, "attempt": 1, "width": 1}]),
    ("flytemp.slots_released", [{"node": "n0", "chunk": 0, "attempt": 1, "width": 1}]),
    ("flytemp.parent_message", [{"width": -1}]),
    ("flytemp.parent_message", [{"width": "3"}]),
    ("flytemp.parent_message", [{"answer": {}}]),
    ("flytemp.parent_message", [{"answer": {"gate": "inner", "at": 1}}]),
    ("flytemp.parent_message", [{"answer": {"gate": "inner", "at": 1, "value": "three"}}]),
    ("flytemp.parent_message", [{"answer": {"gate": "inner", "at": 10**30, "value": 4}}]),
    ("flytemp.parent_message", [{"answer": {"gate": "inner", "at": -(10**30), "value": 4}}]),
    ("flytemp.parent_message", [{"answer": {"gate": "inner", "at": 1, "value": "x" * 100_000}}]),
    ("flytemp.parent_message", [{"pause": 5}]),
]


async def test_an_execution_survives_every_invalid_message(client: Client) -> None:
    handle = await _start(client, "victim", xs=[1, 2, 3])
    identifiers = [handle.id, *await _children(client, handle.id, 3)]
    for identifier in identifiers:
        target = client.temporal.get_workflow_handle(identifier)
        await asyncio.gather(*(target.signal(name, args=arguments) for name, arguments in SIGNALS))
    for name, arguments in UPDATES:
        code = await _refusal(handle, name, arguments)
        assert code, (name, arguments)
    execution = await client.find(execution_name(handle.id))
    await execution.approve("go")
    await execution.set_input("inner", 4)
    child = next(one for one in identifiers if one.startswith("ex:") and one != handle.id and "/" not in one)
    await (await client.find(execution_name(child))).set_input("inner", 5)

    async with asyncio.timeout(DEADLINE_SECONDS):
        assert (await handle.result())["outputs"] == {"o0": 2, "o1": [8, 8, 8], "o2": 10}
    for identifier in identifiers:
        assert await _failed_tasks(client.temporal.get_workflow_handle(identifier)) == 0


async def _start(client: Client, plan: str, **inputs: Any) -> WorkflowHandle[Any, Any]:
    return await client.temporal.start_workflow(
        LAUNCH,
        {"launch_plan": plan, "inputs": inputs},
        id=f"ex:default:development:m{uuid.uuid4().hex[:8]}",
        task_queue=client.settings.task_queue,
    )


async def _children(client: Client, parent: str, count: int) -> list[str]:
    """Return the ids of the running children of a workflow, once there are ``count`` of them."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            query = f"ParentWorkflowId = '{parent}' AND ExecutionStatus = 'Running'"
            found = [item.id async for item in client.temporal.list_workflows(query)]
            if len(found) == count:
                return found


async def _refusal(handle: WorkflowHandle[Any, Any], name: str, arguments: Sequence[Any]) -> str | None:
    """Return the code with which an update is refused; the class of the error where it has no code."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        try:
            await handle.execute_update(name, args=arguments)
        except WorkflowUpdateFailedError as error:
            return error.cause.type if isinstance(error.cause, ApplicationError) else type(error.cause).__name__
    return None


@pytest.mark.parametrize("outputs", [None, {}, {"o0": [1] * 100_000}])
async def test_a_forged_end_of_a_child_ends_the_execution(client: Client, outputs: dict[str, Any] | None) -> None:
    handle = await _start(client, "victim", xs=[])
    await _children(client, handle.id, 1)
    await handle.signal("flytemp.child_closed", closed(outputs=outputs, size=1))
    await handle.execute_update("flytemp.answer", {"gate": "go", "approved": True})
    async with asyncio.timeout(DEADLINE_SECONDS):
        with pytest.raises(WorkflowFailureError):
            await handle.result()
    assert await _failed_tasks(handle) == 0


async def test_messages_that_arrive_with_the_start_are_checked(client: Client) -> None:
    async def start(signal: str, arguments: Sequence[Any]) -> dict[str, Any]:
        handle = await client.temporal.start_workflow(
            LAUNCH, {"launch_plan": "double", "inputs": {"x": 2}}, id=f"early-{uuid.uuid4().hex}",
            task_queue=client.settings.task_queue, start_signal=signal, start_signal_args=arguments,
        )  # fmt: skip
        async with asyncio.timeout(DEADLINE_SECONDS):
            outputs: dict[str, Any] = (await handle.result())["outputs"]
            return outputs

    early = SIGNALS[3 * len(ANYTHING) :]
    assert await asyncio.gather(*(start(*one) for one in early)) == [{"o0": 4}] * len(early)


@pytest.mark.parametrize(
    ("update", "argument"), [("flytemp.retry", {"nodes": 5}), ("flytemp.answer", {"gate": "g", "approved": {}})]
)
async def test_an_update_with_the_start_is_checked(client: Client, update: str, argument: dict[str, Any]) -> None:
    start: WithStartWorkflowOperation[Any, Any] = WithStartWorkflowOperation(
        LAUNCH, {"launch_plan": "double", "inputs": {"x": 2}}, id=f"both-{uuid.uuid4().hex}",
        task_queue=client.settings.task_queue, id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
    )  # fmt: skip
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await client.temporal.execute_update_with_start_workflow(update, argument, start_workflow_operation=start)
    assert isinstance(caught.value.cause, ApplicationError)
    assert caught.value.cause.type == "invalid-input"
    handle = await start.workflow_handle()
    assert (await handle.result())["outputs"] == {"o0": 4}


async def test_a_long_reason_of_a_cancellation_is_cut(client: Client) -> None:
    handle = await _start(client, "victim", xs=[1, 2, 3])
    await _children(client, handle.id, 3)
    await handle.cancel(reason="é" * 900_000)
    async with asyncio.timeout(DEADLINE_SECONDS):
        with pytest.raises(WorkflowFailureError):
            await handle.result()
    execution = await (await client.find(execution_name(handle.id))).describe()
    assert execution.phase is Phase.ABORTED
    assert execution.error is not None
    assert len(execution.error.message) < 2_000


async def test_inputs_that_no_object_holds_fail_at_once(client: Client) -> None:
    client.store.write("uploads/a", b"{}")
    client.store.write("uploads/deep", b'{"x": ' + b"[" * 100_000)
    client.store.write("uploads/list", b"[1]")
    client.store.write("uploads/bytes", b"\xff\xfe")
    names = ["nothing", "x" * 300, "x" * 5_000, "executions", "uploads/a/b", "uploads/deep", "uploads/list", "uploads/bytes"]
    names += ["../../etc/passwd", "a\0b", "", "registry"]
    starts = [(LAUNCH, name, [launch(inputs={}, inputs_uri=f"{client.store.uri}/{name}")]) for name in names]
    results = await asyncio.gather(*(_result_of(client, *start) for start in starts))
    assert [f"{name}: {result}" for name, result in zip(names, results, strict=True) if result] == []


async def test_a_chunk_runs_although_another_program_took_its_workflow_id(client: Client) -> None:
    identifier = f"ex:default:development:m{uuid.uuid4().hex[:8]}"
    squatter = await client.temporal.start_workflow(
        LAUNCH, {"launch_plan": "asks", "inputs": {"x": 1}}, id=f"{identifier}/n0/0.1", task_queue=client.settings.task_queue
    )
    handle = await client.temporal.start_workflow(
        LAUNCH, {"launch_plan": "doubles", "inputs": {"xs": [1, 2, 3]}}, id=identifier, task_queue=client.settings.task_queue
    )
    async with asyncio.timeout(DEADLINE_SECONDS):
        assert (await handle.result())["outputs"] == {"o0": [2, 4, 6]}
    await squatter.terminate()


async def test_foreign_memos_do_not_hide_gates(client: Client) -> None:
    unreadable = {"flytemp.waiting": raw(b"x", "binary/encrypted"), "team": raw(b"x", "binary/encrypted")}
    garbage = {"flytemp.waiting": [{"node": 5}, 7, {"execution": ["n0"]}], "flytemp.rows": {"rows": [5]}, "flytemp.content": 5}
    handles = [
        await client.temporal.start_workflow(
            LAUNCH, {"launch_plan": "asks", "inputs": {"x": 2}}, id=f"memo-{uuid.uuid4().hex}",
            task_queue=client.settings.task_queue, memo=memo,
        )
        for memo in (unreadable, garbage)
    ]  # fmt: skip
    names = {execution_name(handle.id) for handle in handles}
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not names <= {gate.execution for gate in await client.waiting_gates(limit=100)}:
            pass
        for handle in handles:
            await handle.execute_update("flytemp.answer", {"gate": "inner", "value": 1})
            assert (await handle.result())["outputs"] == {"o0": 2}


@pytest.mark.parametrize(
    "identifier", ["x" * 1_000, "../../etc/passwd", "a\x1b[31m\nb", "ex:default:development:", "é" * 400, " "]
)
async def test_every_workflow_id_works(client: Client, identifier: str) -> None:
    handle = await client.temporal.start_workflow(
        LAUNCH, {"launch_plan": "double", "inputs": {"x": 2}}, id=identifier, task_queue=client.settings.task_queue
    )
    async with asyncio.timeout(DEADLINE_SECONDS):
        assert (await handle.result())["outputs"] == {"o0": 4}
    assert (await (await client.find(execution_name(identifier))).describe()).phase is Phase.SUCCEEDED
