"""Handlers of updates and signals: answers to gates, pause and resume, retries, and messages of related workflows.

The form of a message was checked before; see `flytemp_worker.workflow.received`. A message that arrives before the plan is
loaded waits for it. A request that cannot be fulfilled is rejected. If the plan is loaded, a validator rejects it, and it leaves
no event in the history. A signal that cannot have an effect is ignored with a warning.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from temporalio import workflow

from flytemp.protocol import workflow as protocol
from flytemp.protocol.message import UNSET
from flytemp_worker.engine.machine import Engine
from flytemp_worker.engine.manual_retry import nodes_to_retry
from flytemp_worker.engine.messages import Event, GateAnswered, PauseRequested, ResumeRequested, RetryRequested, SlotsReleased
from flytemp_worker.node_kinds.gates import accepts
from flytemp_worker.workflow.gate_answer_checks import as_application_error, check_answer, checked_value
from flytemp_worker.workflow.related_workflows import answer_of, closed_event

if TYPE_CHECKING:
    from flytemp_worker.workflow.runner import WorkflowRunner

MAX_AFFECTED_NODES = 1_000
"""Maximum number of nodes in the result of an update."""


class MessageHandlers:
    """Link between the handlers of a workflow class and its runner."""

    def __init__(self) -> None:
        self._runner: WorkflowRunner | None = None
        self._early: list[Callable[[WorkflowRunner], None]] = []  # signals that arrived before the runner existed

    def open(self, runner: WorkflowRunner) -> None:
        """Set the runner, and process the signals that arrived before."""
        self._runner = runner
        for action in self._early:
            action(runner)

    def _process(self, action: Callable[[WorkflowRunner], None]) -> None:
        if self._runner is None:
            self._early.append(action)
        else:
            action(self._runner)

    def _enqueue(self, event: Event) -> None:
        self._process(lambda runner: runner.enqueue_event(event))

    async def _ready(self) -> WorkflowRunner:
        await workflow.wait_condition(lambda: self._runner is not None and self._runner.is_ready)
        assert self._runner is not None
        return self._runner

    def _engine(self) -> Engine | None:
        return self._runner.engine if self._runner is not None and self._runner.is_ready else None

    # ---------------------------------------------------------------------------------------- updates

    def check_answer(self, request: protocol.AnswerRequest) -> None:
        """Check an answer if the plan is loaded.

        Raises:
            ApplicationError: the answer is rejected.
        """
        engine = self._engine()
        if engine is not None:
            as_application_error(check_answer, engine, request)

    async def answer(self, request: protocol.AnswerRequest) -> protocol.AffectedNodes:
        """Answer a gate. Return the gate nodes that were waiting for the answer."""
        runner = await self._ready()
        engine = runner.engine
        as_application_error(check_answer, engine, request)
        gate = request.gate
        answer: dict[str, Any] = {"by": request.by, "at": workflow.time_ns() // 1_000_000}
        if request.approved is not UNSET:
            answer.update(approved=request.approved, reason=request.reason)
        else:
            answer["value"] = as_application_error(checked_value, engine, request)
        named = [path for path, node in engine.waiting.items() if gate in (path, (node.plan.gate or {})["name"])]
        nodes = [path for path in named if accepts(engine, engine.waiting[path], answer)]
        runner.enqueue_event(GateAnswered(gate, answer))
        return protocol.AffectedNodes(nodes[:MAX_AFFECTED_NODES])

    async def pause(self, request: protocol.Pause) -> None:
        """Start no further tasks until `resume`."""
        runner = await self._ready()
        runner.enqueue_event(PauseRequested(request.by, request.reason))

    async def resume(self, request: protocol.ResumeRequest) -> None:
        """End a pause."""
        runner = await self._ready()
        runner.enqueue_event(ResumeRequested(request.by))

    def check_retry(self, request: protocol.RetryRequest) -> None:
        """Check a retry if the plan is loaded.

        Raises:
            ApplicationError: no node can be retried.
        """
        engine = self._engine()
        if engine is not None:
            as_application_error(nodes_to_retry, engine, tuple(request.nodes))

    async def retry(self, request: protocol.RetryRequest) -> protocol.AffectedNodes:
        """Retry failed nodes. Return the nodes."""
        runner = await self._ready()
        nodes = tuple(request.nodes)
        found = as_application_error(nodes_to_retry, runner.engine, nodes)
        runner.enqueue_event(RetryRequested(nodes))
        return protocol.AffectedNodes([node.path for node in found[:MAX_AFFECTED_NODES]])

    # ---------------------------------------------------------------------------------------- signals

    def child_closed(self, message: protocol.ChildClosed | None) -> None:
        """Process the end of a child workflow. None stands for a message that was refused."""
        event = closed_event(message) if message is not None else None
        if event is not None:
            self._process(lambda runner: runner.on_child_closed(event))

    def slots_released(self, message: protocol.SlotsReleased | None) -> None:
        """Process the release of slots by a chunk."""
        if message is not None:
            self._enqueue(SlotsReleased(message.node, message.chunk, message.attempt, message.width))

    def parent_message(self, message: protocol.ParentMessage | None) -> None:
        """Process a message from the parent of a chunk."""
        if message is None:
            return
        if message.answer is not None:
            answer = answer_of(message.answer)
            if answer is not None:
                self._enqueue(GateAnswered(message.answer.gate, answer))
        elif message.pause is not None:
            self._enqueue(PauseRequested(message.pause.by, message.pause.reason))
        elif message.resume is not None:
            self._enqueue(ResumeRequested(message.resume.by))
        elif message.width is not None:
            slots = message.width
            self._process(lambda runner: runner.increase_slots(slots))
