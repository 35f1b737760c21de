"""Launch plans: executions of their own, as child workflows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flytemp.errors import FlytempError
from flytemp.literals.sizes import INLINE_BYTES
from flytemp.spec.bindings import Closed, literals_in, object_output
from flytemp_worker.engine.errors import make_error
from flytemp_worker.engine.handlers import NodeHandler, P
from flytemp_worker.engine.machine import Engine
from flytemp_worker.engine.messages import CancelChild, ChildClosed, IOCompleted, SlotsReleased, StartChild
from flytemp_worker.engine.nodes import Attempt, Node
from flytemp_worker.engine.values import close

EXECUTION = -1
"""``chunk`` of messages about the execution of a launch plan."""


@dataclass(slots=True)
class LaunchPlanAttempt(Attempt):
    launched: bool = False
    inputs_inline: bool = True
    inputs_uri: str | None = None  # of inputs that were too large for an answer
    outputs_uri: str | None = None  # of outputs that are too large to be inline
    execution: str | None = None  # the child's workflow id

    @property
    def is_stored(self) -> bool:
        return self.outputs_uri is not None

    def reference(self, node: Node, output: str, path: list[Any] | None) -> Closed:
        assert self.outputs_uri is not None
        return object_output(self.outputs_uri, output, path)


class LaunchPlanHandler(NodeHandler):
    """Starts an execution, which has its own limit of parallelism and takes no slot."""

    attempt = LaunchPlanAttempt

    def start(self, engine: Engine, node: Node) -> None:
        engine.capacity.launch_plans.append(node)

    def run(self, engine: Engine, node: Node) -> None:
        engine.begin_attempt(node)
        engine.move(node, P.RUNNING, "its execution is launched")
        try:
            literals = literals_in(_inputs(node))
        except FlytempError as error:
            engine.fail_user(node, error)
            return
        if literals is not None:
            self._launch(engine, node, literals)
        else:
            _state(node).inputs_inline = False
            engine.request(node, "inputs")

    def io_argument(self, engine: Engine, node: Node, operation: str) -> dict[str, Any]:
        return {"values": _inputs(node)}

    def on_io(self, engine: Engine, node: Node, event: IOCompleted) -> None:
        _state(node).inputs_uri = event.answer.get("uri")
        self._launch(engine, node, event.answer.get("values") or {})

    def _launch(self, engine: Engine, node: Node, inputs: dict[str, Any]) -> None:
        assert node.plan.launch_plan is not None
        state = _state(node)
        engine.capacity.launched += 1
        engine.emit(StartChild(node.path, node.attempt, node.plan.launch_plan, inputs, state.inputs_uri, state.launched))
        state.launched = True
        engine.log.note(node)
        if node.phase is P.CANCELLING:
            self._cancel(engine, node)

    def _cancel(self, engine: Engine, node: Node) -> None:
        engine.emit(CancelChild(node.path, EXECUTION, node.attempt, node.scope.reason or "the parent is stopping"))

    def abort(self, engine: Engine, node: Node) -> None:
        if node.phase is P.READY:
            engine.on_stopped(node)
        elif node.phase is P.RUNNING:
            engine.move(node, P.CANCELLING, "the workflow is stopping")
            if node.state.asks is None:
                self._cancel(engine, node)

    def resume(self, engine: Engine, node: Node) -> None:
        state = _state(node)
        if node.phase is P.READY:
            engine.capacity.launch_plans.append(node)
        elif state.asks is not None:
            engine.request(node, state.asks)
        else:  # a running child needs its inputs no more
            self._launch(engine, node, (literals_in(_inputs(node)) or {}) if state.inputs_inline else {})

    def expects(self, engine: Engine, node: Node, event: ChildClosed | SlotsReleased) -> bool:
        is_current = (event.chunk, event.attempt) == (EXECUTION, node.attempt) and _state(node).launched
        return isinstance(event, ChildClosed) and is_current and node.phase in (P.RUNNING, P.CANCELLING)

    def on_child_closed(self, engine: Engine, node: Node, event: ChildClosed) -> None:
        engine.capacity.launched -= 1
        if event.phase == "SUCCEEDED":
            state = _state(node)
            state.outputs, state.size, state.outputs_uri = event.outputs, event.size, event.outputs_uri
            engine.finish(node, P.SUCCEEDED, "its execution succeeded")
        elif node.phase is P.CANCELLING:
            engine.on_stopped(node)
        else:
            error = event.error or make_error("ChildEnded", f"its execution is {event.phase}")
            engine.fail_with(node, {**error, "retryable": False})


def start_queued(engine: Engine) -> bool:
    """Launch the next launch plan, if the platform allows another child."""
    capacity = engine.capacity
    if not capacity.launch_plans or capacity.launched >= capacity.max_in_flight:
        return False
    node = capacity.launch_plans.popleft()
    if node.phase is P.READY:
        node.handler.run(engine, node)
    return True


def set_execution(engine: Engine, path: str, workflow_id: str) -> None:
    """Record the execution that a node launches, for readers."""
    _state(engine.by_path[path]).execution = workflow_id


def _state(node: Node) -> LaunchPlanAttempt:
    assert isinstance(node.state, LaunchPlanAttempt)
    return node.state


def _inputs(node: Node) -> dict[str, Closed]:
    return close(node.bindings, node.scope, INLINE_BYTES)
