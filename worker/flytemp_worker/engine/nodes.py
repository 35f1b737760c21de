"""The state of a graph being run: its nodes, and the scopes they live in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal

from flytemp.errors import FlytempError
from flytemp.spec.bindings import Binding, graph_input
from flytemp_worker.engine.phases import NodePhase
from flytemp_worker.engine.plan import GraphPlan, MapPlan, NodePlan

Error = dict[str, Any]
"""``{"kind", "code", "message", "retryable"}``, and where it happened: ``node``, ``task``, ``attempt``."""


def user_error(error: FlytempError) -> Error:
    """An error of ours that the user must act on, as the engine carries errors."""
    return {"kind": "USER", "code": error.code, "message": error.message, "retryable": False}


class Node:
    """The state of one node. Times are milliseconds since the epoch, as the shell gave them.

    ``extra`` holds what only its kind needs, as plain JSON: the taken case of a branch, the stage of a dynamic, ….
    ``index`` is the number of an item of a map.
    """

    __slots__ = (
        "attempt", "child", "error", "extra", "finished", "history", "index", "lost", "message", "outputs", "path", "phase",
        "plan", "scope", "size", "started", "started_attempt", "try_", "until", "waiting",
    )  # fmt: skip

    def __init__(self, plan: NodePlan, scope: GraphRun, identifier: str | None = None, index: int | None = None) -> None:
        self.plan = plan
        self.scope = scope
        own = identifier or plan.id
        self.path = own if scope.path == "" else f"{scope.path}.{own}"
        self.index = index
        self.phase = NodePhase.WAITING
        self.waiting = plan.needs
        self.attempt = 0
        self.try_ = 0
        self.lost = 0  # tries of this attempt that the platform lost
        self.outputs: dict[str, Any] | None = None
        self.size = 0
        self.child: GraphRun | None = None
        self.error: Error | None = None
        self.message: str | None = None
        self.started: int | None = None
        self.started_attempt: int | None = None
        self.finished: int | None = None
        self.until: int | None = None  # when the back-off, the sleep or the gate ends
        self.history: list[dict[str, Any]] = []  # attempts that ended and were followed by another
        self.extra: dict[str, Any] = {}

    @property
    def kind(self) -> str:
        return self.plan.kind

    @property
    def ref(self) -> str:
        """Where its result lies: ``<path>/<attempt>``."""
        return f"{self.path}/{self.attempt}"

    @property
    def bindings(self) -> dict[str, Binding]:
        """Where its inputs come from. A call of a map takes its item of each list that is mapped over."""
        if self.scope.map is None or self.index is None:
            return self.plan.inputs
        position, over = self.index - self.scope.first, self.scope.map.over
        return {var: graph_input(var, [position] if var in over else None) for var in self.scope.map.inputs}

    def fail_with(self, error: Error) -> None:
        """Remember why, with where it happened; what an inner node has told already stays."""
        self.error = {**error, "node": self.path, "task": self.plan.target, "attempt": self.attempt}

    @property
    def failed_phase(self) -> NodePhase:
        """What its error makes of it."""
        return NodePhase.TIMED_OUT if self.error is not None and self.error["code"] == "Timeout" else NodePhase.FAILED

    def attempt_row(self, at: int) -> dict[str, Any]:
        """The attempt that just failed and is followed by another."""
        return {
            "attempt": self.attempt, "tries": self.try_, "phase": str(self.failed_phase),
            "started": self.started_attempt, "finished": at, "error": self.error,
        }  # fmt: skip

    def seconds_left(self, at: int) -> float:
        """Until its back-off ends; a timer needs a positive number."""
        return max((self.until or at) - at, 1) / 1000


class GraphRun:
    """A graph being run: the root workflow, or what runs in a node.

    ``kind`` is "graph" for a workflow, "branch" for the cases of a branch, "map" for the calls of a map. ``given`` are
    the closed values that stand for the inputs of a root that is a part of a map; ``inputs`` are those of the root
    workflow, None when they are too large to be inline.
    """

    __slots__ = (
        "aborting", "error", "expired", "first", "given", "graph", "handler", "inputs", "kind", "map", "next", "nodes", "open",
        "parent", "path", "reason", "sizes", "started", "width",
    )  # fmt: skip

    def __init__(
        self,
        graph: GraphPlan,
        parent: Node | None,
        inputs: dict[str, Any] | None = None,
        kind: Literal["graph", "branch", "map"] = "graph",
    ) -> None:
        self.graph = graph
        self.parent = parent
        self.kind = kind
        self.path: str = "" if parent is None else parent.path
        self.inputs = inputs
        self.given: dict[str, Any] | None = None
        self.sizes = {var: len(json.dumps(value)) for var, value in (inputs or {}).items()}
        self.nodes = [Node(node, self) for node in graph.nodes]
        self.open = len(self.nodes)
        self.handler: Node | None = None  # the on_failure node, once it has been called
        self.error: Error | None = None
        self.aborting = False
        self.reason = ""  # why it stops
        self.expired = False  # its own time-out passed
        self.started: int | None = None
        self.map: MapPlan | None = None  # of the calls of a map
        self.first = 0  # of a part of a map: the number of its first item
        self.next = 0  # of a map: the calls before this one were opened
        self.width = 0  # of a map: calls that may be open at once, 0 for all

    @property
    def lexical(self) -> GraphRun:
        """The scope whose names the bindings of nodes in here mean: those around a branch are its cases', too."""
        scope = self
        while scope.kind == "branch":
            assert scope.parent is not None
            scope = scope.parent.scope
        return scope

    def walk(self) -> Iterator[Node]:
        """Its nodes, each followed by what it called."""
        for node in self.nodes:
            yield node
            if node.child is not None:
                yield from node.child.walk()
        if self.handler is not None:
            yield self.handler
            if self.handler.child is not None:
                yield from self.handler.child.walk()


def depth(scope: GraphRun, kind: str) -> int:
    """How many callers of this kind are around ``scope``."""
    count = 0
    while scope.parent is not None:
        count += scope.parent.kind == kind
        scope = scope.parent.scope
    return count
