"""The state of an execution: nodes, their attempts, and the runs of graphs that contain them.

All times are milliseconds since the epoch.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flytemp.names import attempt_key
from flytemp.spec.bindings import Binding, Closed, result
from flytemp_worker.engine.errors import Error
from flytemp_worker.engine.phases import NodePhase
from flytemp_worker.engine.plan import GraphPlan, NodePlan

if TYPE_CHECKING:
    from flytemp_worker.engine.handlers import NodeHandler


@dataclass(slots=True)
class Attempt:
    """State of a node's current attempt. A retry replaces the whole object; kinds of nodes add fields.

    A field with a default value is JSON, and is saved if it differs from the default; see `to_fields` for others.
    """

    try_: int = 0  # counts the platform's tries of this attempt; 0 before it has begun
    lost: int = 0  # tries that the platform lost
    started_attempt: int | None = None
    finished: int | None = None
    until: int | None = None  # end of the back-off, the sleep or the wait for an answer
    message: str | None = None
    error: Error | None = None
    outputs: dict[str, Any] | None = None  # None while there are none, and where they are in the store
    size: int = 0  # of the outputs, in bytes of JSON
    epoch: str = ""  # of the workflow when the attempt's last try was started; see `flytemp.names.attempt_key`
    asks: str | None = None  # the I/O operation whose answer the node waits for

    def to_fields(self) -> dict[str, Any]:
        """Return the JSON of the fields that have a default factory."""
        return {}

    def from_fields(self, fields: dict[str, Any]) -> None:
        """Set the fields that `to_fields` returned."""

    @property
    def is_stored(self) -> bool:
        """True if the node's outputs are also in the store, so that they can be passed by reference."""
        return False

    @property
    def failed_phase(self) -> NodePhase:
        return NodePhase.TIMED_OUT if self.error is not None and self.error["code"] == "Timeout" else NodePhase.FAILED

    def reference(self, node: Node, output: str, path: list[Any] | None) -> Closed:
        """Return the closed value of an output that is in the store."""
        return result(node.ref, output, path)

    def source_of(self, node: Node, output: str) -> tuple[Binding, GraphRun] | None:
        """Return the binding that an output is passed on from, and its scope; None if the node has the output itself."""
        return None


class Node:
    """One node. Its own fields outlive a manual retry; ``state`` is that of the current attempt.

    ``index`` and ``calls`` are of an item of a map: its position, and the number of calls that it makes.
    """

    __slots__ = (
        "attempt", "attempts_before", "calls", "child", "deadline", "expired", "handler", "history", "index", "path", "phase",
        "plan", "scope", "started", "state", "waiting",
    )  # fmt: skip

    def __init__(
        self, plan: NodePlan, scope: GraphRun, identifier: str | None = None, index: int | None = None, calls: int = 1
    ) -> None:
        own = identifier or plan.id
        self.plan = plan
        self.scope = scope
        self.handler = scope.handlers[plan.kind]
        self.path = own if scope.path == "" else f"{scope.path}.{own}"
        self.index = index
        self.calls = calls
        self.phase = NodePhase.WAITING
        self.waiting = plan.needs  # nodes that have yet to succeed
        self.attempt = 0  # counts attempts, from 1
        self.attempts_before = 0  # attempts that a manual retry followed: the task's retries count from there
        self.history: list[dict[str, Any]] = []  # attempts that ended and were followed by another
        self.started: int | None = None
        self.deadline: int | None = None  # over all attempts; a manual retry sets another
        self.expired = False  # the deadline has passed
        self.child: GraphRun | None = None
        self.state = self.handler.attempt()

    @property
    def kind(self) -> str:
        return self.plan.kind

    @property
    def ref(self) -> str:
        """Reference of the attempt's result in the store: ``<path>/<attempt key>``."""
        return f"{self.path}/{attempt_key(self.attempt, self.state.epoch)}"

    @property
    def bindings(self) -> dict[str, Binding]:
        return self.scope.bindings_of(self)

    def fail_with(self, error: Error) -> None:
        """Set the attempt's error, with the place where it happened."""
        self.state.error = {**error, "node": self.path, "task": self.plan.target, "attempt": self.attempt}

    def next_attempt(self, at: int) -> None:
        """Begin another attempt after one that failed; its error stays visible until then."""
        self.history.append(self.attempt_row(at))
        self.attempt += 1
        self.state = self.handler.attempt(try_=1, error=self.state.error)

    def attempt_row(self, at: int) -> dict[str, Any]:
        """Return the row of the attempt that ended at ``at`` and is followed by another."""
        state = self.state
        return {
            "attempt": self.attempt, "tries": state.try_, "phase": str(state.failed_phase), "started": state.started_attempt,
            "finished": at, "error": state.error,
        }  # fmt: skip

    def seconds_left(self, at: int) -> float:
        """Return the seconds until ``state.until``; at least 1 ms, because a timer needs a positive number."""
        return max((self.state.until or at) - at, 1) / 1000


class GraphRun:
    """A run of a graph: that of the execution itself, or one that a node has opened.

    Variables of this type are called ``scope``, because the bindings of its nodes refer to names in it.

    ``opener`` handles the kind of node that opened it. ``inputs`` are the launch's literals, None if they are too large to be
    inline. ``given`` are closed values that stand for the inputs of a chunk of a map.
    """

    __slots__ = (
        "aborting", "error", "expired", "failure_node", "given", "graph", "handlers", "inputs", "nodes", "open", "opener",
        "parent", "path", "reason", "sizes", "started",
    )  # fmt: skip
    root_kind = "workflow"  # the kind of node whose handler a run without a parent has

    def __init__(
        self,
        graph: GraphPlan,
        parent: Node | None,
        handlers: dict[str, NodeHandler],
        inputs: dict[str, Any] | None = None,
        *,
        path: str = "",
    ) -> None:
        self.graph = graph
        self.parent = parent
        self.handlers = handlers
        self.opener = handlers[self.root_kind] if parent is None else parent.handler
        self.path: str = path if parent is None else parent.path
        self.inputs = inputs
        self.given: dict[str, Any] | None = None
        self.sizes = {var: len(json.dumps(value)) for var, value in (inputs or {}).items()}
        self.nodes = self.make_nodes()
        self.open = len(self.nodes)  # nodes that are not final, the failure node included
        self.failure_node: Node | None = None  # the graph's on_failure, once it has been called
        self.error: Error | None = None
        self.aborting = False
        self.reason = ""  # why it stops
        self.expired = False  # its own time-out has passed
        self.started: int | None = None

    def make_nodes(self) -> list[Node]:
        return [Node(plan, self) for plan in self.graph.nodes]

    def count_waiting(self) -> None:
        """Set what each node waits for, from the phases of the others."""
        for node in self.nodes:
            node.waiting = node.plan.needs
        for node in self.nodes:
            if node.phase is NodePhase.SUCCEEDED:
                for index in node.plan.feeds:
                    self.nodes[index].waiting -= 1

    def bindings_of(self, node: Node) -> dict[str, Binding]:
        """Return the bindings of a node's inputs."""
        return node.plan.inputs

    def calls_of(self, node: Node) -> list[dict[str, Binding]] | None:
        """Return the bindings of each call, if one try of the node makes several; else None."""
        return None

    @property
    def lexical(self) -> GraphRun:
        """The scope that the bindings of the nodes refer to: for the cases of a branch, that of the branch."""
        scope = self
        while scope.parent is not None and scope.opener.is_transparent:
            scope = scope.parent.scope
        return scope

    def walk(self) -> Iterator[Node]:
        """Yield all nodes, each followed by the nodes of the run that it opened."""
        for node in self.nodes if self.failure_node is None else [*self.nodes, self.failure_node]:
            yield node
            if node.child is not None:
                yield from node.child.walk()
