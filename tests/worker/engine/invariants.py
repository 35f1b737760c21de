"""What a simulation knows by itself, and what must hold of the engine after every step.

The phase of each node is justified by what was answered, by the nodes in it, or by what stops around it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flytemp_worker.engine import NodePhase
from flytemp_worker.engine.nodes import GraphRun, Node
from flytemp_worker.engine.phases import ACTIVE, FINAL
from flytemp_worker.engine.plan import GraphPlan

from .reference_interpreter import allowed_failures

if TYPE_CHECKING:
    from .simulation import Part, Simulation

P = NodePhase
BAD = (P.FAILED, P.TIMED_OUT)


@dataclass
class Budget:
    """Where a node stands. ``base`` are attempts that a person's request for another one followed."""

    attempt: int = 1
    base: int = 0
    try_: int = 1
    lost: int = 0
    begun: bool = True


@dataclass
class Books:
    budgets: dict[str, Budget] = field(default_factory=dict)
    tries: set[tuple[str, int, int]] = field(default_factory=set)
    ends: dict[str, NodePhase] = field(default_factory=dict)  # of tasks and executions, by their answers
    fired: set[tuple[str, str]] = field(default_factory=set)  # "timer", "deadline", "timeout"
    refused: set[str] = field(default_factory=set)  # what was told that there is no answer
    nowhere: set[str] = field(default_factory=set)  # nodes whose inputs do not exist
    answers: list[dict[str, Any]] = field(default_factory=list)
    part_ends: list[Part] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)  # calls of parts that failed
    final: dict[str, NodePhase] = field(default_factory=dict)
    nodes: dict[str, Node] = field(default_factory=dict)  # as of the last step
    paused: bool = False
    cancelled: bool = False
    resumed_graph_calls: set[str] = field(default_factory=set)  # calls of maps that are graphs and were tried again
    width: int | None = None
    _needs: dict[int, tuple[GraphPlan, list[list[int]]]] = field(default_factory=dict)

    def needed(self, node: Node) -> list[Node]:
        """The nodes that must have succeeded before this one starts, of those beside it."""
        scope = node.scope
        if scope.kind != "graph" or node is scope.handler:
            return []
        graph = scope.graph
        if id(graph) not in self._needs:
            needs: list[list[int]] = [[] for _ in graph.nodes]
            for plan in graph.nodes:
                for fed in plan.feeds:
                    needs[fed].append(plan.index)
            self._needs[id(graph)] = graph, needs
        return [scope.nodes[index] for index in self._needs[id(graph)][1][node.plan.index]]

    def retries(self, sim: Simulation, path: str) -> int:
        return sim.engine.by_path[path].plan.retries

    def issue(self, sim: Simulation, path: str, attempt: int, try_: int) -> Budget:
        key = (path, attempt, try_)
        assert key not in self.tries, f"{key} was issued before"
        prepared = "asked" in sim.engine.by_path[path].extra  # its turn was before, and its inputs came now
        assert prepared or not sim.engine.holding
        assert prepared or not self.paused or sim.engine.root.aborting, f"{path} starts while the execution is paused"
        self.tries.add(key)
        base = sim.engine.base
        budget = self.budgets.setdefault(path, Budget(base + 1, base))
        budget.begun = True
        return budget

    def note_lost(self, part: Part) -> None:
        """A part of a map ended: which of its calls failed."""
        from .fault_schedule import lost_calls

        command = part.command
        items = [f"{command.node}.{index}" for index in range(command.first, command.first + command.count)]
        self.lost = {lost for lost in self.lost if not any(lost == item or lost.startswith(f"{item}.") for item in items)}
        self.lost |= lost_calls(part)


def reopened(sim: Simulation) -> None:
    """After a request to try again: forget what was undone. What had succeeded stays as it was."""
    books = sim.books
    books.cancelled = books.cancelled and sim.engine.cancelled is not None
    now = {node.path: node for node in sim.engine.nodes()}
    undone: list[str] = []
    for path, phase in books.final.items():
        if now.get(path) is not books.nodes[path]:
            undone.append(path)  # it handled a failure
        elif now[path].phase is not phase or now[path].try_ == 0:
            assert phase is not P.SUCCEEDED, f"{path} had succeeded"
            undone.append(path)
    books.resumed_graph_calls |= {path for path in undone if path in now and now[path].child is not None}
    for path in undone:
        books.ends.pop(path, None)
        books.refused.discard(path)
        books.fired -= {(path, "timer"), (path, "deadline"), (path, "timeout")}
    if sim.engine.root.error is None:
        books.fired.discard(("", "timeout"))
    for path in undone:
        budget = books.budgets.get(path)
        if budget is not None and budget.begun:
            books.budgets[path] = Budget(budget.attempt + 1, budget.attempt, begun=False)
    books.final = {path: phase for path, phase in books.final.items() if path not in undone}


# --------------------------------------------------------------------------------------- each start


def check_start(sim: Simulation, path: str) -> None:
    """All that the node and those around it need has succeeded, and nothing around it stops."""
    node = sim.engine.by_path[path]
    while True:
        scope = node.scope
        for other in sim.books.needed(node):
            assert other.phase is P.SUCCEEDED, f"{path} starts before {other.path}"
        if node is scope.handler:
            assert all(other.phase in FINAL for other in scope.nodes), f"{path} handles a failure too early"
            return
        if scope.parent is None:
            return
        node = scope.parent


# ---------------------------------------------------------------------------------------- each step


def check(sim: Simulation) -> None:
    engine, books = sim.engine, sim.books
    nodes = list(engine.nodes())
    phases = {node.path: node.phase for node in nodes}
    books.nodes = {node.path: node for node in nodes}
    assert len(phases) == len(nodes)
    for path, phase in books.final.items():
        assert phases.get(path) is phase, f"{path} was {phase}, and is {phases.get(path)}"
    assert {phase: count for phase, count in engine.counts.items() if count} == Counter(phases.values())
    assert engine.by_path.keys() == phases.keys()
    assert engine.active.keys() == {path for path, phase in phases.items() if phase in ACTIVE}
    assert engine.running == len(sim.in_flight)
    assert engine.lent == sim.lent
    assert engine.children == len(sim.executions)
    assert engine.waiting.keys() == {node.path for node in nodes if node.kind == "gate" and node.phase is P.RUNNING}
    assert engine.finished == (sim.finish is not None)
    stops = Stops(sim)
    for scope in engine.scopes():
        _check_scope(scope, stops)
    for node in nodes:
        if node.phase in FINAL and node.path not in books.final:
            _justify(sim, node, stops)
            books.final[node.path] = node.phase
    if sim.finish is not None:
        assert books.final.keys() == phases.keys()
        _check_finish(sim, stops)


class Stops:
    """Which scopes must be stopping, by the phases of the nodes in them and by what was asked for."""

    def __init__(self, sim: Simulation) -> None:
        self.sim = sim
        self._known: dict[int, bool] = {}

    def __call__(self, scope: GraphRun) -> bool:
        if id(scope) not in self._known:
            self._known[id(scope)] = self._stops(scope)
        return self._known[id(scope)]

    def _stops(self, scope: GraphRun) -> bool:
        fired, caller = self.sim.books.fired, scope.parent
        if (scope.path, "timeout") in fired and scope.kind == "graph":
            return True
        if self.by_failures(scope):
            return True
        if caller is None:
            return self.sim.books.cancelled
        if (scope.path, "deadline") in fired:
            return True
        return caller is not caller.scope.handler and self(caller.scope)

    def by_failures(self, scope: GraphRun) -> bool:
        """A failure in it, or in what it called, stops it."""
        if scope.kind == "map":
            assert scope.map is not None
            return not scope.map.run_all and failures(scope.nodes) > tolerated(self.sim, scope)
        return scope.graph.fail_immediately and self.has_failures(scope)

    def has_failures(self, scope: GraphRun) -> bool:
        for node in scope.nodes:
            if node.phase in BAD or "stops" in node.extra:
                return True
            if node.child is not None and self.by_failures(node.child):
                return True
        return False


def failures(nodes: Iterable[Node]) -> int:
    """Calls of a map that failed or were stopped."""
    count = 0
    for node in nodes:
        if node.phase in (*BAD, P.ABORTED):
            error = node.error or {}
            count += len(error["failed_items"]) if "failed_items" in error else node.extra.get("size", 1)
    return count


def tolerated(sim: Simulation, scope: GraphRun) -> int:
    """How many calls may fail, by the map's settings."""
    if scope.parent is None:
        return sim.engine.most_failures
    assert scope.map is not None
    return allowed_failures(scope.map.min_successes, scope.map.min_ratio, scope.parent.extra["items"])


def _check_scope(scope: GraphRun, stops: Stops) -> None:
    handling = scope.handler is not None and scope.handler.phase not in FINAL
    assert scope.open == sum(node.phase not in FINAL for node in scope.nodes) + handling
    if scope.handler is not None:
        assert scope.handler.phase not in (P.WAITING, P.SKIPPED)
        assert all(node.phase in FINAL for node in scope.nodes)
        assert stops(scope) or stops.has_failures(scope)
    fired = stops.sim.books.fired
    for node in scope.nodes:
        if stops(scope):
            assert node.phase in FINAL or node.phase is P.CANCELLING, f"{node.path} is {node.phase} in a scope that stops"
        elif node.phase is P.CANCELLING:
            assert (node.path, "deadline") in fired or "stops" in node.extra, f"{node.path} is stopped without a reason"
    if scope.kind == "map" and scope.width:
        resumed_graph_calls = stops.sim.books.resumed_graph_calls
        counted = [node for node in scope.nodes if node.path not in resumed_graph_calls]
        assert sum(node.phase not in FINAL and node.phase is not P.WAITING for node in counted) <= scope.width


# ------------------------------------------------------------------------------------- final phases


def _justify(sim: Simulation, node: Node, stops: Stops) -> None:
    """A node became final: rightly so?"""
    books, path = sim.books, node.path
    assert node.finished is not None or node.phase is P.SKIPPED
    ran = all(other.phase is P.SUCCEEDED for other in books.needed(node))
    assert ran or node.phase is P.SKIPPED
    if (path, "deadline") in books.fired and node.phase is P.TIMED_OUT:
        assert node.error is not None
        assert node.error["code"] == "Timeout"
    elif node.phase is P.SKIPPED:
        branch = node.scope.parent
        other = node.scope.kind == "branch" and branch is not None and branch.extra["taken"] != node.plan.index
        assert other or not ran or stops(node.scope), f"{path} was skipped without a reason"
        assert node is not node.scope.handler
    elif node.phase is P.ABORTED:
        assert stops(node.scope), f"{path} was stopped without a reason"
        assert node is not node.scope.handler
    else:
        assert (node.error is None) == (node.phase is P.SUCCEEDED)
        assert _REASONS[node.kind](sim, node, stops), f"the {node.kind} {path} is {node.phase} without a reason: {node.error}"


def _answered(sim: Simulation, node: Node, stops: Stops) -> bool:
    """Tasks, executions: their answers say so."""
    if node.path in sim.books.nowhere or node.path in sim.books.refused:
        return node.phase is P.FAILED
    return sim.books.ends.get(node.path) is node.phase


def _called(sim: Simulation, node: Node, stops: Stops) -> bool:
    """Workflows and conditionals: the nodes in them say so."""
    assert node.child is not None
    phases = {inner.phase for inner in node.child.nodes}
    graph = node.child.graph
    assert graph.on_failure is None or (node.child.handler is None) == (node.phase is P.SUCCEEDED)
    if node.phase is P.SUCCEEDED:
        return phases <= {P.SUCCEEDED} and (node.path, "timeout") not in sim.books.fired
    if (node.path, "timeout") in sim.books.fired:
        return node.phase is P.TIMED_OUT
    return node.phase is P.FAILED and stops.has_failures(node.child)


def _branch(sim: Simulation, node: Node, stops: Stops) -> bool:
    if node.child is None:
        assert node.error is not None
        refused = node.path in sim.books.refused | sim.books.nowhere
        return refused or node.error["code"] in ("UserProvidedError", "NoBranchTaken") or _is_users(node)
    taken = node.child.nodes[node.extra["taken"]]
    others = [other for other in node.child.nodes if other is not taken]
    assert all(other.phase is P.SKIPPED and other.attempt == other.extra.get("base", 0) for other in others)
    return taken.phase is P.SUCCEEDED if node.phase is P.SUCCEEDED else node.phase is P.FAILED and stops.has_failures(node.child)


def _map(sim: Simulation, node: Node, stops: Stops) -> bool:
    assert node.plan.map is not None
    if node.path in sim.books.refused | sim.books.nowhere:
        return node.phase is P.FAILED
    if "items" not in node.extra:
        return node.phase is P.FAILED and _is_users(node)
    items = node.extra["items"]
    allowed = allowed_failures(node.plan.map.min_successes, node.plan.map.min_ratio, items)
    if node.child is not None:
        many = failures(node.child.nodes) > allowed
    else:
        ended = [part for part in sim.books.part_ends if part.command.node == node.path]
        many = any(part["phase"] not in ("SUCCEEDED", "WAITING") for part in node.extra.get("parts", ()))
        many = many or sum(part["done"][1] for part in node.extra.get("parts", ())) > allowed
        assert not items or ended or node.phase is not P.SUCCEEDED
    return many == (node.phase is P.FAILED) and node.phase in (P.SUCCEEDED, P.FAILED)


def _is_users(node: Node) -> bool:
    """Its values are not what the program takes them for."""
    return node.error is not None and node.error["code"] in ("invalid-input", "wrong-type")


def _dynamic(sim: Simulation, node: Node, stops: Stops) -> bool:
    if node.child is not None:
        return _called(sim, node, stops)
    if node.error is not None and node.error["code"] == "DynamicTooDeep":
        return True
    return node.phase is not P.SUCCEEDED and _answered(sim, node, stops)


def _gate(sim: Simulation, node: Node, stops: Stops) -> bool:
    answer = node.extra.get("answer")
    if answer is None:
        return node.phase is P.TIMED_OUT and (node.path, "timer") in sim.books.fired
    assert answer in sim.books.answers
    return (node.phase is P.FAILED) == (answer.get("approved") is False)


def _sleep(sim: Simulation, node: Node, stops: Stops) -> bool:
    return node.phase is P.SUCCEEDED and (node.path, "timer") in sim.books.fired


_REASONS = {
    "task": _answered, "launch_plan": _answered, "workflow": _called, "branch": _branch, "map": _map,
    "dynamic": _dynamic, "gate": _gate, "sleep": _sleep,
}  # fmt: skip


def _check_finish(sim: Simulation, stops: Stops) -> None:
    """How the execution ended, by the nodes in it."""
    assert sim.finish is not None
    root, books = sim.engine.root, sim.books
    assert root.graph.on_failure is None or (root.handler is None) == (sim.finish.phase == "SUCCEEDED")
    if books.cancelled:
        assert sim.finish.phase == "ABORTED"
    elif ("", "timeout") in books.fired and root.kind == "graph":
        assert sim.finish.phase == "TIMED_OUT"
    elif sim.finish.phase == "SUCCEEDED":
        assert not stops(root)
        assert root.kind == "map" or {node.phase for node in root.nodes} <= {P.SUCCEEDED}
    else:
        assert sim.finish.phase == "FAILED"
        assert sim.finish.error is not None
        assert stops.has_failures(root) or sim.finish.error["code"] == "invalid-input", sim.finish.error
