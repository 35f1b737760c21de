"""The interface between the engine and the kinds of nodes, which `flytemp_worker.node_kinds` implements."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from flytemp_worker.engine.messages import ChildClosed, IOCompleted, SlotsReleased, TaskEvent
from flytemp_worker.engine.nodes import Attempt, GraphRun, Node
from flytemp_worker.engine.phases import FAILED, IllegalMove, NodePhase
from flytemp_worker.engine.values import close

if TYPE_CHECKING:
    from flytemp_worker.engine.errors import Error
    from flytemp_worker.engine.machine import Engine

P = NodePhase


class NodeHandler:
    """Behaviour of one kind of node. Its methods take nodes of the kind, or runs of graphs that such nodes opened."""

    attempt: ClassVar[type[Attempt]] = Attempt
    counts_failures: ClassVar[bool] = False  # failures in the graphs that it opens do not spread by themselves
    is_transparent: ClassVar[bool] = False  # bindings in the graphs that it opens refer to the graph around them
    is_named_by_plan: ClassVar[bool] = True  # the execution's first plan has the nodes of the graphs that it opens

    # ------------------------------------------------------------------------------------- the node

    def start(self, engine: Engine, node: Node) -> None:
        """Start or queue a node that has become READY."""
        raise NotImplementedError

    def run(self, engine: Engine, node: Node) -> None:
        """Run a node that `start` has queued and that has a slot now."""
        raise IllegalMove(node.path, f"a {node.kind} is never queued")

    def abort(self, engine: Engine, node: Node) -> None:
        """Stop a node that is neither WAITING nor final. One that waits for an answer stops when the answer arrives."""
        if node.phase is P.RUNNING:
            engine.move(node, P.CANCELLING, "the workflow is stopping")
            if node.state.asks is None:
                assert node.child is not None
                engine.abort(node.child, "the workflow is stopping")

    def resume(self, engine: Engine, node: Node) -> None:
        """Issue again, after a restore, what was in flight. The node is neither WAITING nor final."""
        if node.state.asks is not None:
            engine.request(node, node.state.asks)

    def forget(self, engine: Engine, node: Node) -> None:
        """Release what the engine keeps of an attempt that a manual retry is about to replace."""

    def io_argument(self, engine: Engine, node: Node, operation: str) -> dict[str, Any]:
        """Return the argument of an I/O operation that the node requests."""
        return {}

    def public_fields(self, node: Node) -> dict[str, Any]:
        """Return the fields that a row has for readers beside those of the state."""
        return {}

    # --------------------------------------------------------------------------------------- events

    def on_timer(self, engine: Engine, node: Node) -> None:
        """Handle the timer of the current attempt and try, which may fire although it was cancelled."""

    def on_io(self, engine: Engine, node: Node, event: IOCompleted) -> None:
        raise IllegalMove(node.path, f"a {node.kind} does not request {event.operation}")

    def on_task(self, engine: Engine, node: Node, event: TaskEvent) -> None:
        raise IllegalMove(node.path, f"{type(event).__name__} for a {node.kind}")

    def expects(self, engine: Engine, node: Node, event: ChildClosed | SlotsReleased) -> bool:
        """Return True if the node has the child that the event is about, and the child may send the event now."""
        return False

    def on_child_closed(self, engine: Engine, node: Node, event: ChildClosed) -> None:
        """Handle the end of a child that the node `expects`."""
        raise IllegalMove(node.path, f"ChildClosed for a {node.kind}")

    def on_slots_released(self, engine: Engine, node: Node, event: SlotsReleased) -> None:
        """Handle that a chunk, which the node `expects`, needs fewer slots."""
        raise IllegalMove(node.path, f"SlotsReleased for a {node.kind}")

    # -------------------------------------------------------------------------- the graph in a node

    def restore_child(self, engine: Engine, node: Node) -> GraphRun | None:
        """Return the run that the node had opened, from its restored state."""
        return None

    def on_opened(self, engine: Engine, scope: GraphRun) -> None:
        """Start what can start, in a run that opens or is reopened."""
        for node in scope.nodes:
            if node.waiting == 0 and node.phase is P.WAITING:
                engine.make_ready(node)

    def on_node_ended(self, engine: Engine, scope: GraphRun, node: Node) -> None:
        """Handle that a node of the run has become final."""

    def on_closed(self, engine: Engine, scope: GraphRun) -> None:
        """End the node when all nodes in its run are final."""
        node = scope.parent
        if node is None:
            engine.finish_execution(lambda: close(scope.graph.outputs, scope))
        elif scope.error is not None:
            node.state.error = scope.error
            engine.fail(node, scope_failure(scope))
        elif scope.aborting:
            engine.on_stopped(node)
        else:
            engine.finish(node, P.SUCCEEDED, "its nodes succeeded")

    def on_idle(self, engine: Engine) -> None:
        """Handle that the engine has started all that it can, in a run of this kind that has no parent."""

    def is_retried(self, node: Node) -> bool:
        """Return True if a manual retry includes this skipped or aborted node of a run."""
        return True

    def remaining_error(self, engine: Engine, scope: GraphRun) -> Error | None:
        """Return the error of a reopened run, because of nodes that stay failed."""
        return next((node.state.error for node in scope.nodes if node.phase in FAILED), None)


def scope_failure(scope: GraphRun) -> NodePhase:
    """Return the phase of a failed run: TIMED_OUT only by its own time-out."""
    return P.TIMED_OUT if scope.expired else P.FAILED


@dataclass(frozen=True)
class Registry:
    """The kinds of nodes, the handlers of events by their types, and the queues of nodes that wait for a slot.

    A queue starts one node if there is room for it, and returns False if it has started none. Queues are called in order.
    """

    handlers: dict[str, NodeHandler]
    listeners: Mapping[type, Callable[[Engine, Any], None]]
    queues: Sequence[Callable[[Engine], bool]]
