"""The state of a graph being run: its nodes, and the scopes they live in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from flytemp_worker.engine.phases import NodePhase
from flytemp_worker.engine.plan import GraphPlan, NodePlan

Error = dict[str, Any]


class Node:
    """The state of one node. Times are milliseconds since the epoch, as the shell gave them."""

    __slots__ = (
        "attempt", "child", "error", "finished", "history", "lost", "message", "outputs", "path", "phase", "plan",
        "scope", "size", "started", "started_attempt", "try_", "until", "waiting",
    )  # fmt: skip

    def __init__(self, plan: NodePlan, scope: Scope) -> None:
        self.plan = plan
        self.scope = scope
        self.path = plan.id if scope.path == "" else f"{scope.path}.{plan.id}"
        self.phase = NodePhase.WAITING
        self.waiting = plan.needs
        self.attempt = 0
        self.try_ = 0
        self.lost = 0  # tries of this attempt that the platform lost
        self.outputs: dict[str, Any] | None = None
        self.size = 0
        self.child: Scope | None = None
        self.error: Error | None = None
        self.message: str | None = None
        self.started: int | None = None
        self.started_attempt: int | None = None
        self.finished: int | None = None
        self.until: int | None = None  # when the back-off ends
        self.history: list[dict[str, Any]] = []  # attempts that ended and were followed by another

    def fail_with(self, error: Error) -> None:
        """Remember why, with where it happened."""
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


class Scope:
    """A graph being run: the root workflow, or a sub-workflow in its caller's node."""

    __slots__ = ("aborting", "error", "graph", "inputs", "nodes", "open", "parent", "path", "sizes")

    def __init__(self, graph: GraphPlan, parent: Node | None, inputs: dict[str, Any] | None = None) -> None:
        self.graph = graph
        self.parent = parent
        self.path: str = "" if parent is None else parent.path
        self.inputs = inputs  # of the root only; None: too large to be inline
        self.sizes = {var: len(json.dumps(value)) for var, value in (inputs or {}).items()}
        self.nodes = [Node(node, self) for node in graph.nodes]
        self.open = len(self.nodes)
        self.error: Error | None = None
        self.aborting = False

    def walk(self) -> Iterator[Node]:
        """Its nodes, each followed by what it called."""
        for node in self.nodes:
            yield node
            if node.child is not None:
                yield from node.child.walk()
