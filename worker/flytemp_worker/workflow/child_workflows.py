"""Child workflows of a run: executions of launch plans, and chunks of maps.

Children are abandoned when their parent closes, because Temporal would otherwise terminate them when the parent continues as new.
A child signals its end to the parent. Temporal also reports the end of a child to the run that started it, but not to later
runs, so a later run polls its children at long intervals. Children poll their parent in the same way.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import ChildWorkflowError, FailureError, WorkflowAlreadyStartedError

from flytemp.launching.execution_names import child_name
from flytemp.names import workflow_id as execution_id
from flytemp.protocol.activities import CLOSED_WORKFLOWS, ClosedWorkflows, WorkflowIds
from flytemp.protocol.message import Json, Message, Signal
from flytemp.protocol.workflow import (
    CHUNK_WORKFLOW_TYPE,
    NO_CHUNK,
    PARENT_MESSAGE,
    WORKFLOW_TYPE,
    ChunkArgument,
    ChunkStart,
    GateAnswer,
    ParentMessage,
    Pause,
    Resolved,
    ResumeRequest,
)
from flytemp.records.launch import LaunchOptions, LaunchRequest, ParentCall
from flytemp.temporal.workflows import phase_of_failure
from flytemp_worker.engine.errors import make_error
from flytemp_worker.engine.machine import Engine
from flytemp_worker.engine.messages import (
    BroadcastToChunks,
    CancelChild,
    ChildClosed,
    Event,
    IncreaseAllocation,
    StartChild,
    StartChunk,
)
from flytemp_worker.workflow import activity_calls

Key = tuple[str, int, int]
"""Node path, chunk number (`NO_CHUNK` for an execution) and attempt."""

M = TypeVar("M", bound=Message)

FIRST_POLL_SECONDS = 15.0
MAX_POLL_SECONDS = 600.0
"""Intervals between polls of workflows that may have closed without a signal. The interval doubles from poll to poll."""


class ChildWorkflows:
    """The children of one run, and its parent.

    Args:
        resolved: the execution.
        enqueue: receives an event when a child has closed.
    """

    def __init__(self, resolved: Resolved, enqueue: Callable[[Event], None]) -> None:
        self._resolved = resolved
        self._enqueue = enqueue
        self._ids: dict[Key, str] = {}
        self._starting: dict[Key, list[Callable[[str], None]]] = {}  # actions to take when the child has started
        self._unwatched: set[Key] = set()  # children that this run did not start
        self._watcher: asyncio.Task[None] | None = None

    def execution_of(self, command: StartChild) -> str:
        """Return the workflow id of the execution that a launch plan's node starts."""
        resolved = self._resolved
        name = child_name(resolved.execution, resolved.root, command.node, command.attempt)
        return execution_id(*self._place_of(command), name)

    def _place_of(self, command: StartChild) -> tuple[str, str]:
        plan = command.launch_plan
        return plan["project"] or self._resolved.project, plan["domain"] or self._resolved.domain

    def start_execution(self, command: StartChild) -> None:
        """Start the execution of a launch plan."""
        resolved, plan = self._resolved, command.launch_plan
        project, domain = self._place_of(command)
        is_same_place = (project, domain) == (resolved.project, resolved.domain)
        launch = LaunchRequest.model_construct(
            launch_plan=plan["launch_plan"],
            project=project,
            domain=domain,
            version=plan["version"] or (resolved.version if is_same_place else None),
            inputs=command.inputs,
            inputs_uri=command.inputs_uri,
            parent=ParentCall(
                workflow_id=workflow.info().workflow_id,
                node=command.node,
                attempt=command.attempt,
                execution=resolved.execution,
                options=LaunchOptions(**resolved.options),
            ),
        )
        key = (command.node, NO_CHUNK, command.attempt)
        argument = launch.model_dump(mode="json", exclude_defaults=True)
        self._start(key, WORKFLOW_TYPE, argument, self.execution_of(command), command.resumed)

    def start_chunk(self, command: StartChunk, execution: str, engine: Engine) -> None:
        """Start a chunk of a map.

        Args:
            command: the chunk.
            execution: the workflow id of the execution.
            engine: the engine with the answers to gates so far, the pause in effect and the epoch.
        """
        parent = workflow.info().workflow_id
        paused = engine.paused if engine.is_paused else None
        chunk = ChunkArgument(
            parent=parent,
            execution_id=execution,
            node=command.node,
            name=command.name,
            chunk=command.chunk,
            attempt=command.attempt,
            source=command.source,
            graph=command.graph,
            local=command.local,
            first=command.first,
            count=command.count,
            width=command.width,
            given=command.given,
            max_failures=command.max_failures,
            attempts_before=command.attempts_before,
            answers=engine.answers,
            paused=Pause(paused["by"], paused["reason"]) if paused is not None else None,
            epoch=engine.epoch,
        )
        argument = ChunkStart(self._resolved.for_chunk(), chunk).to_json()
        key = (command.node, command.chunk, command.attempt)
        self._start(key, CHUNK_WORKFLOW_TYPE, argument, chunk_id(parent, *key), command.resumed)

    def _start(self, key: Key, kind: str, argument: dict[str, Any], identifier: str, resumed: bool) -> None:
        self._ids[key] = identifier
        if resumed:
            self._watch(key)
        else:
            self._starting[key] = []
            asyncio.create_task(self._run(key, kind, argument, identifier))  # noqa: RUF006 - the loop is the workflow's

    async def _run(self, key: Key, kind: str, argument: dict[str, Any], identifier: str) -> None:
        try:
            handle = await workflow.start_child_workflow(
                kind,
                argument,
                id=identifier,
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                cancellation_type=workflow.ChildWorkflowCancellationType.ABANDON,
                static_summary=activity_calls.short(f"{key[0]} of {self._resolved.execution}"),
            )
        except WorkflowAlreadyStartedError:
            self._on_started(key)
            await self._adopt(key, identifier)
            return
        self._on_started(key)
        try:
            await handle
            self._on_gone(key, "FAILED", "it sent no result")  # the signal arrives before the end
        except (FailureError, asyncio.CancelledError) as error:
            self._on_gone(key, phase_of_failure(error), str(error.cause) if isinstance(error, ChildWorkflowError) else str(error))

    async def _adopt(self, key: Key, identifier: str) -> None:
        """Wait for a child that an earlier run has started. A workflow of another program under its id is not the child."""
        if identifier in (await _states([identifier], workflow.info().workflow_id)).foreign:
            self._on_gone(key, "FAILED", "another program has started a workflow with this id")
        else:
            self._watch(key)

    def _on_started(self, key: Key) -> None:
        for action in self._starting.pop(key):
            action(self._ids[key])

    def _on_gone(self, key: Key, phase: str, reason: str) -> None:
        """Report the end of a child unless the child reported it."""
        if key not in self._ids:
            return
        node, chunk, attempt = key
        error = make_error("ChildEnded", f"{self._ids[key]} ended: {reason}")
        self._enqueue(ChildClosed(node, chunk, attempt, "LOST" if chunk != NO_CHUNK else phase, error=error))

    def on_closed(self, event: ChildClosed) -> None:
        """Process the report of a child that it has closed, so that Temporal's report has no effect."""
        key = (event.node, event.chunk, event.attempt)
        self._unwatched.discard(key)
        self._ids.pop(key, None)
        self._enqueue(event)

    def cancel(self, command: CancelChild) -> None:
        """Request the cancellation of a child."""
        self._when_started((command.node, command.chunk, command.attempt), _cancel)

    def broadcast(self, command: BroadcastToChunks) -> None:
        """Signal an answer to a gate, a pause or its end to all chunks."""
        message = _parent_message(command.message)
        for key in [key for key in self._ids if key[1] != NO_CHUNK]:
            self._when_started(key, lambda identifier: _signal_chunk(identifier, message))

    def increase_allocation(self, command: IncreaseAllocation) -> None:
        """Signal the new number of slots to a chunk."""
        key = (command.node, command.chunk, command.attempt)
        self._when_started(key, lambda identifier: _signal_chunk(identifier, ParentMessage(width=command.width)))

    def _when_started(self, key: Key, action: Callable[[str], None]) -> None:
        """Run ``action`` once the child has started: Temporal rejects the start and the cancellation in one workflow task."""
        if key in self._starting:
            self._starting[key].append(action)
        elif key in self._ids:
            action(self._ids[key])

    # ------------------------------------------------------------------------------------ polling

    def _watch(self, key: Key) -> None:
        self._unwatched.add(key)
        if self._watcher is None or self._watcher.done():
            self._watcher = asyncio.create_task(self._poll_children())

    async def _poll_children(self) -> None:
        seconds = FIRST_POLL_SECONDS
        while self._unwatched:
            await workflow.sleep(timedelta(seconds=seconds), summary="poll the children")
            seconds = min(seconds * 2, MAX_POLL_SECONDS)
            polled = {key: self._ids[key] for key in sorted(self._unwatched) if key in self._ids}
            if not polled:
                continue
            closed = (await _states(list(polled.values()))).phases
            for key, identifier in polled.items():
                if identifier in closed and key in self._unwatched:
                    self._unwatched.discard(key)
                    self._on_gone(key, closed[identifier], "it closed without a signal")

    async def watch_parent(self, parent: str, on_lost: Callable[[], None]) -> None:
        """Call ``on_lost`` when the parent has closed, as no workflow waits for this one then."""
        seconds = FIRST_POLL_SECONDS * 4
        while True:
            await workflow.sleep(timedelta(seconds=seconds), summary="poll the parent")
            seconds = min(seconds * 2, MAX_POLL_SECONDS)
            if (await _states([parent])).phases:
                on_lost()
                return


async def _states(workflows: list[str], parent: str | None = None) -> ClosedWorkflows:
    """Return which of the given workflows are closed, and which open ones ``parent`` did not start."""
    return CLOSED_WORKFLOWS.read_result(await activity_calls.control(CLOSED_WORKFLOWS, WorkflowIds(workflows, parent)))


def chunk_id(parent: str, node: str, chunk: int, attempt: int) -> str:
    """Return the workflow id of a chunk of a map. Temporal accepts up to 1,000 characters."""
    text = f"{parent}/{node}/{chunk}.{attempt}"
    return text if len(text) <= 900 else f"{text[:800]}…{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def _parent_message(message: dict[str, Json]) -> ParentMessage:
    if "answer" in message:
        return ParentMessage(answer=GateAnswer.from_json(message["answer"]))
    if "pause" in message:
        return ParentMessage(pause=Pause.from_json(message["pause"]))
    return ParentMessage(resume=ResumeRequest.from_json(message["resume"]))


def _cancel(identifier: str) -> None:
    asyncio.create_task(_ignore_failure(workflow.get_external_workflow_handle(identifier).cancel()))  # noqa: RUF006


def _signal_chunk(identifier: str, message: ParentMessage) -> None:
    asyncio.create_task(_signal(identifier, PARENT_MESSAGE, message))  # noqa: RUF006


async def signal_parent(parent: str, signal: Signal[M], message: M) -> None:
    """Send a signal to the parent. A failure is ignored: a closed parent does not need the message."""
    await _signal(parent, signal, message)


async def _signal(identifier: str, signal: Signal[M], message: M) -> None:
    handle = workflow.get_external_workflow_handle(identifier)
    await _ignore_failure(handle.signal(signal.name, message.to_json()))


async def _ignore_failure(call: Awaitable[None]) -> None:
    try:
        await call
    except (FailureError, asyncio.CancelledError) as error:
        workflow.logger.info("not delivered: %s", error)
