"""What a kind of node is: what it does when it may run, when it must stop, and when it is resumed elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flytemp_worker.engine.messages import RequestIO
from flytemp_worker.engine.phases import FINAL, IllegalMove, NodePhase

if TYPE_CHECKING:
    from flytemp_worker.engine.machine import Engine
    from flytemp_worker.engine.messages import ChildClosed, IOCompleted, TaskSucceeded
    from flytemp_worker.engine.nodes import Node

P = NodePhase


class NodeHandler:
    """One row of the engine's table. Each method takes a node of the kind."""

    def start(self, engine: Engine, node: Node) -> None:
        """All that it waited for is there: it is READY."""
        raise NotImplementedError

    def run(self, engine: Engine, node: Node) -> None:
        """Its turn came in the queue that `start` put it into."""
        raise IllegalMove(node.path, f"a {node.kind} does not queue", ())

    def abort(self, engine: Engine, node: Node) -> None:
        """What is around it stops, or its deadline passed: stop it. It is neither final nor WAITING."""
        raise NotImplementedError

    def resume(self, engine: Engine, node: Node) -> None:
        """After a restore: issue again what was in flight. It is neither final nor WAITING."""
        raise NotImplementedError

    def timer(self, engine: Engine, node: Node) -> None:
        """The timer of its attempt and try fired, or had fired when it was cancelled."""

    def told(self, engine: Engine, node: Node, event: IOCompleted) -> None:
        """The answer to what it asked."""
        raise IllegalMove(node.path, f"was told {event.what}, which a {node.kind} does not ask", ())

    def succeeded(self, engine: Engine, node: Node, event: TaskSucceeded) -> None:
        """Its task's result is committed."""
        raise IllegalMove(node.path, f"the result of a task for a {node.kind}", ())

    def child_closed(self, engine: Engine, node: Node, event: ChildClosed) -> None:
        """What it started as a workflow of its own is over."""
        raise IllegalMove(node.path, f"the end of a child for a {node.kind}", ())


def begin(engine: Engine, node: Node, why: str) -> None:
    """The node runs from now on, in its only attempt or its next one."""
    node.attempt, node.try_ = node.attempt + 1, 1
    node.started = node.started or engine.at
    node.started_attempt = engine.at
    engine.move(node, P.RUNNING, why)


def ask(engine: Engine, node: Node, what: str, argument: dict[str, Any]) -> None:
    """Ask for a piece of I/O; the answer comes to `NodeHandler.told`. What is asked is part of the state: it is asked again."""
    node.extra["asks"] = what
    engine.emit(RequestIO(node.path, node.attempt, what, argument))


def on_told(engine: Engine, event: IOCompleted) -> None:
    """An answer. One to a node that was stopped meanwhile ends it."""
    from flytemp_worker.engine import deadlines
    from flytemp_worker.engine.kinds import HANDLERS

    node = engine.known(event.node, "Told")
    if node.extra.get("asks") != event.what or node.phase in FINAL:
        raise IllegalMove(node.path, f"was told {event.what} and asked {node.extra.get('asks')}", engine.ledger.story(node.path))
    del node.extra["asks"]
    if node.phase is P.CANCELLING:
        deadlines.stopped(engine, node)
    elif event.error is not None:
        engine.fail_with(node, event.error)
    else:
        HANDLERS[node.kind].told(engine, node, event)


def abort_asking(engine: Engine, node: Node) -> bool:
    """Whether the node waits for an answer: then it stops when that is there, which is soon."""
    if "asks" not in node.extra:
        return False
    if node.phase is P.RUNNING:
        engine.move(node, P.CANCELLING, "the workflow is stopping")
    return True
