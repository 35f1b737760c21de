"""Handlers of updates and signals: answers to gates, pause and resume, retries, and messages of related workflows.

A message that arrives before the plan is loaded waits for it. A request that cannot be fulfilled is rejected. If the plan is
loaded, a validator rejects it, and it leaves no event in the history.
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

if TYPE_CHECKING:
    from flytemp_worker.workflow.runner import WorkflowRunner


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
        answer: dict[str, Any] = {"by": str(request.by or ""), "at": workflow.time_ns() // 1_000_000}
        if request.approved is not UNSET:
            answer.update(approved=request.approved, reason=str(request.reason or ""))
        else:
            answer["value"] = checked_value(engine, request)
        named = [path for path, node in engine.waiting.items() if gate in (path, (node.plan.gate or {})["name"])]
        nodes = [path for path in named if accepts(engine, engine.waiting[path], answer)]
        runner.enqueue_event(GateAnswered(gate, answer))
        return protocol.AffectedNodes(nodes)

    async def pause(self, request: protocol.Pause) -> None:
        """Start no further tasks until `resume`."""
        runner = await self._ready()
        runner.enqueue_event(PauseRequested(str(request.by or ""), str(request.reason or "")))

    async def resume(self, request: protocol.ResumeRequest) -> None:
        """End a pause."""
        runner = await self._ready()
        runner.enqueue_event(ResumeRequested(str(request.by or "")))

    def check_retry(self, request: protocol.RetryRequest) -> None:
        """Check a retry if the plan is loaded.

        Raises:
            ApplicationError: no node can be retried.
        """
        engine = self._engine()
        if engine is not None:
            as_application_error(nodes_to_retry, engine, tuple(request.nodes or ()))

    async def retry(self, request: protocol.RetryRequest) -> protocol.AffectedNodes:
        """Retry failed nodes. Return the nodes."""
        runner = await self._ready()
        nodes = tuple(request.nodes or ())
        found = as_application_error(nodes_to_retry, runner.engine, nodes)
        runner.enqueue_event(RetryRequested(nodes))
        return protocol.AffectedNodes([node.path for node in found])

    # ---------------------------------------------------------------------------------------- signals

    def child_closed(self, message: protocol.ChildClosed) -> None:
        """Process the end of a child workflow."""
        self._process(lambda runner: runner.on_child_closed(message))

    def slots_released(self, message: protocol.SlotsReleased) -> None:
        """Process the release of slots by a chunk."""
        self._enqueue(SlotsReleased(message.node, message.chunk, message.attempt, message.width))

    def parent_message(self, message: protocol.ParentMessage) -> None:
        """Process a message from the parent of a chunk."""
        if message.answer is not None:
            answer = dict(message.answer)
            self._enqueue(GateAnswered(answer.pop("gate"), answer))
        elif message.pause is not None:
            self._enqueue(PauseRequested(message.pause.by, message.pause.reason))
        elif message.resume is not None:
            self._enqueue(ResumeRequested(message.resume.by))
        elif message.width is not None:
            slots = message.width
            self._process(lambda runner: runner.increase_slots(slots))
