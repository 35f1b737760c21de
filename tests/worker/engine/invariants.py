"""Invariants of the engine, checked after every step against what the simulation has observed.

The phase of each node must follow from its events, from the nodes in it, or from what stops around it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flytemp_worker.engine.nodes import Attempt, GraphRun, Node
from flytemp_worker.engine.phases import ACTIVE, FINAL, NodePhase
from flytemp_worker.engine.plan import GraphPlan
from flytemp_worker.node_kinds.map_state import MapRun

from .reference_interpreter import allowed_failures

if TYPE_CHECKING:
    from .simulation import ChunkSimulation, Simulation

P = NodePhase
BAD = (P.FAILED, P.TIMED_OUT)


@dataclass
class Budget:
    """Attempts and tries of a node. ``base`` is the number of attempts before the last manual retry."""

    attempt: int = 1
    base: int = 0
    try_: int = 1
    lost: int = 0
    begun: bool = True


@dataclass
class Observed:
    budgets: dict[str, Budget] = field(default_factory=dict)
    tries: set[tuple[str, int, int]] = field(default_factory=set)
    ends: dict[str, NodePhase] = field(default_factory=dict)  # of tasks and child executions, by their events
    fired: set[tuple[str, str]] = field(default_factory=set)  # "timer", "deadline", "timeout"
    failed_io: set[str] = field(default_factory=set)  # nodes whose I/O requests failed
    missing_inputs: set[str] = field(default_factory=set)  # nodes whose inputs do not exist
    answers: list[dict[str, Any]] = field(default_factory=list)
    ended_chunks: list[ChunkSimulation] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)  # calls of chunks that failed
    final: dict[str, NodePhase] = field(default_factory=dict)
    nodes: dict[str, Node] = field(default_factory=dict)  # as of the last step
    states: dict[str, Attempt] = field(default_factory=dict)  # likewise; a retry replaces them
    paused: bool = False
    cancelled: bool = False
    resumed_graph_calls: set[str] = field(default_factory=set)  # retried calls of maps that are graphs
    width: int | None = None
    _needs: dict[int, tuple[GraphPlan, list[list[int]]]] = field(default_factory=dict)

    def needed(self, node: Node) -> list[Node]:
        """Return the nodes of the same graph that must succeed before this one starts."""
        scope = node.scope
        if isinstance(scope, MapRun) or scope.opener.is_transparent or node is scope.failure_node:
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
        prepared = not getattr(
            sim.engine.by_path[path].state, "inputs_inline", True
        )  # it was started earlier, and its inputs have been read now
        assert prepared or not sim.engine.holding
        assert prepared or not self.paused or sim.engine.root.aborting, f"{path} starts while the execution is paused"
        self.tries.add(key)
        base = attempts_before(sim)
        budget = self.budgets.setdefault(path, Budget(base + 1, base))
        budget.begun = True
        return budget

    def note_failed_calls(self, chunk: ChunkSimulation) -> None:
        """Record the failed calls of a chunk that ended."""
        from .fault_schedule import failed_calls

        command = chunk.command
        items = [f"{command.node}.{index}" for index in range(command.first, command.first + command.count)]
        self.lost = {lost for lost in self.lost if not any(lost == item or lost.startswith(f"{item}.") for item in items)}
        self.lost |= failed_calls(chunk)


def forget_reset_nodes(sim: Simulation) -> None:
    """Forget what a manual retry has reset. Nodes that succeeded must be unchanged."""
    observed = sim.observed
    observed.cancelled = observed.cancelled and sim.engine.cancelled is not None
    now = {node.path: node for node in sim.engine.nodes()}
    undone: list[str] = []
    for path, phase in observed.final.items():
        if now.get(path) is not observed.nodes[path]:
            undone.append(path)  # a failure node
        elif now[path].phase is not phase or now[path].state is not observed.states[path]:
            assert phase is not P.SUCCEEDED, f"{path} had succeeded"
            undone.append(path)
    observed.resumed_graph_calls |= {path for path in undone if path in now and now[path].child is not None}
    for path in undone:
        observed.ends.pop(path, None)
        observed.failed_io.discard(path)
        observed.fired -= {(path, "timer"), (path, "deadline"), (path, "timeout")}
    if sim.engine.root.error is None:
        observed.fired.discard(("", "timeout"))
    for path in undone:
        budget = observed.budgets.get(path)
        if budget is not None and budget.begun:
            observed.budgets[path] = Budget(budget.attempt + 1, budget.attempt, begun=False)
    observed.final = {path: phase for path, phase in observed.final.items() if path not in undone}


# --------------------------------------------------------------------------------------- each start


def attempts_before(sim: Simulation) -> int:
    """Return the attempts that the calls of a chunk had in earlier attempts of the map."""
    return 0 if sim.engine.chunk is None else sim.engine.chunk.attempts_before


def check_start(sim: Simulation, path: str) -> None:
    """Check that everything that the node and its callers depend on has succeeded."""
    node = sim.engine.by_path[path]
    while True:
        scope = node.scope
        for other in sim.observed.needed(node):
            assert other.phase is P.SUCCEEDED, f"{path} starts before {other.path}"
        if node is scope.failure_node:
            assert all(other.phase in FINAL for other in scope.nodes), f"{path} handles a failure too early"
            return
        if scope.parent is None:
            return
        node = scope.parent


# ---------------------------------------------------------------------------------------- each step


def check(sim: Simulation) -> None:
    engine, observed = sim.engine, sim.observed
    nodes = list(engine.nodes())
    phases = {node.path: node.phase for node in nodes}
    observed.nodes = {node.path: node for node in nodes}
    observed.states = {node.path: node.state for node in nodes}
    assert len(phases) == len(nodes)
    for path, phase in observed.final.items():
        assert phases.get(path) is phase, f"{path} was {phase}, and is {phases.get(path)}"
    assert {phase: count for phase, count in engine.counts.items() if count} == Counter(phases.values())
    assert engine.by_path.keys() == phases.keys()
    assert engine.active.keys() == {path for path, phase in phases.items() if phase in ACTIVE}
    assert engine.capacity.running == len(sim.in_flight)
    assert engine.capacity.allocated == sim.allocated
    assert engine.capacity.launched == len(sim.executions)
    assert engine.waiting.keys() == {node.path for node in nodes if node.kind == "gate" and node.phase is P.RUNNING}
    assert engine.finished == (sim.finish is not None)
    stops = Stops(sim)
    for scope in engine.scopes():
        _check_scope(scope, stops)
    for node in nodes:
        if node.phase in FINAL and node.path not in observed.final:
            _justify(sim, node, stops)
            observed.final[node.path] = node.phase
    if sim.finish is not None:
        assert observed.final.keys() == phases.keys()
        _check_finish(sim, stops)


class Stops:
    """Scopes that must be stopping, by the phases of their nodes and by the requests."""

    def __init__(self, sim: Simulation) -> None:
        self.sim = sim
        self._known: dict[int, bool] = {}

    def __call__(self, scope: GraphRun) -> bool:
        if id(scope) not in self._known:
            self._known[id(scope)] = self._stops(scope)
        return self._known[id(scope)]

    def _stops(self, scope: GraphRun) -> bool:
        fired, caller = self.sim.observed.fired, scope.parent
        if (scope.path, "timeout") in fired and not isinstance(scope, MapRun):
            return True
        if self.by_failures(scope):
            return True
        if caller is None:
            return self.sim.observed.cancelled
        if (scope.path, "deadline") in fired:
            return True
        return caller is not caller.scope.failure_node and self(caller.scope)

    def by_failures(self, scope: GraphRun) -> bool:
        """Return True if a failure in the scope, or in a scope inside it, stops it."""
        if isinstance(scope, MapRun):
            return not scope.plan.run_all and failures(scope.nodes) > tolerated(self.sim, scope)
        return scope.graph.fail_immediately and self.has_failures(scope)

    def has_failures(self, scope: GraphRun) -> bool:
        for node in scope.nodes:
            if node.phase in BAD or getattr(node.state, "stops", False):
                return True
            if node.child is not None and self.by_failures(node.child):
                return True
        return False


def failures(nodes: Iterable[Node]) -> int:
    """Return the number of calls of a map that failed or were stopped."""
    count = 0
    for node in nodes:
        if node.phase in (*BAD, P.ABORTED):
            error = node.state.error or {}
            count += len(error["failed_items"]) if "failed_items" in error else node.calls
    return count


def tolerated(sim: Simulation, scope: GraphRun) -> int:
    """Return how many calls may fail by the map's settings."""
    if scope.parent is None:
        assert sim.engine.chunk is not None
        return sim.engine.chunk.max_failures
    return allowed_failures(scope.plan.min_successes, scope.plan.min_ratio, scope.parent.state.items)


def _check_scope(scope: GraphRun, stops: Stops) -> None:
    handling = scope.failure_node is not None and scope.failure_node.phase not in FINAL
    assert scope.open == sum(node.phase not in FINAL for node in scope.nodes) + handling
    if scope.failure_node is not None:
        assert scope.failure_node.phase not in (P.WAITING, P.SKIPPED)
        assert all(node.phase in FINAL for node in scope.nodes)
        assert stops(scope) or stops.has_failures(scope)
    fired = stops.sim.observed.fired
    for node in scope.nodes:
        if stops(scope):
            assert node.phase in FINAL or node.phase is P.CANCELLING, f"{node.path} is {node.phase} in a scope that stops"
        elif node.phase is P.CANCELLING:
            assert (node.path, "deadline") in fired or getattr(node.state, "stops", False), (
                f"{node.path} is stopped without a reason"
            )
    if isinstance(scope, MapRun) and scope.width:
        resumed_graph_calls = stops.sim.observed.resumed_graph_calls
        counted = [node for node in scope.nodes if node.path not in resumed_graph_calls]
        assert sum(node.phase not in FINAL and node.phase is not P.WAITING for node in counted) <= scope.width


# ------------------------------------------------------------------------------------- final phases


def _justify(sim: Simulation, node: Node, stops: Stops) -> None:
    """Check that a node has become final for a reason."""
    observed, path = sim.observed, node.path
    assert node.state.finished is not None or node.phase is P.SKIPPED
    ran = all(other.phase is P.SUCCEEDED for other in observed.needed(node))
    assert ran or node.phase is P.SKIPPED
    if (path, "deadline") in observed.fired and node.phase is P.TIMED_OUT:
        assert node.state.error is not None
        assert node.state.error["code"] == "Timeout"
    elif node.phase is P.SKIPPED:
        branch = node.scope.parent
        other = node.scope.opener.is_transparent and branch is not None and branch.state.taken != node.plan.index
        assert other or not ran or stops(node.scope), f"{path} was skipped without a reason"
        assert node is not node.scope.failure_node
    elif node.phase is P.ABORTED:
        assert stops(node.scope), f"{path} was stopped without a reason"
        assert node is not node.scope.failure_node
    else:
        assert (node.state.error is None) == (node.phase is P.SUCCEEDED)
        assert _REASONS[node.kind](sim, node, stops), (
            f"the {node.kind} {path} is {node.phase} without a reason: {node.state.error}"
        )


def _answered(sim: Simulation, node: Node, stops: Stops) -> bool:
    """Check a task or child execution against its events."""
    if node.path in sim.observed.missing_inputs or node.path in sim.observed.failed_io:
        return node.phase is P.FAILED
    return sim.observed.ends.get(node.path) is node.phase


def _called(sim: Simulation, node: Node, stops: Stops) -> bool:
    """Check a workflow against the nodes in it."""
    assert node.child is not None
    phases = {inner.phase for inner in node.child.nodes}
    graph = node.child.graph
    assert graph.on_failure is None or (node.child.failure_node is None) == (node.phase is P.SUCCEEDED)
    if node.phase is P.SUCCEEDED:
        return phases <= {P.SUCCEEDED} and (node.path, "timeout") not in sim.observed.fired
    if (node.path, "timeout") in sim.observed.fired:
        return node.phase is P.TIMED_OUT
    return node.phase is P.FAILED and stops.has_failures(node.child)


def _branch(sim: Simulation, node: Node, stops: Stops) -> bool:
    if node.child is None:
        assert node.state.error is not None
        refused = node.path in sim.observed.failed_io | sim.observed.missing_inputs
        return refused or node.state.error["code"] in ("UserProvidedError", "NoBranchTaken") or _is_users(node)
    taken = node.child.nodes[node.state.taken]
    others = [other for other in node.child.nodes if other is not taken]
    assert all(other.phase is P.SKIPPED and other.attempt == other.attempts_before for other in others)
    return taken.phase is P.SUCCEEDED if node.phase is P.SUCCEEDED else node.phase is P.FAILED and stops.has_failures(node.child)


def _map(sim: Simulation, node: Node, stops: Stops) -> bool:
    assert node.plan.map is not None
    if node.path in sim.observed.failed_io | sim.observed.missing_inputs:
        return node.phase is P.FAILED
    if node.state.items is None:
        return node.phase is P.FAILED and _is_users(node)
    items = node.state.items
    allowed = allowed_failures(node.plan.map.min_successes, node.plan.map.min_ratio, items)
    if node.child is not None:
        many = failures(node.child.nodes) > allowed
    else:
        ended = [chunk for chunk in sim.observed.ended_chunks if chunk.command.node == node.path]
        many = any(chunk.phase not in ("SUCCEEDED", "WAITING") for chunk in node.state.chunks)
        many = many or sum(chunk.failed for chunk in node.state.chunks) > allowed
        assert not items or ended or node.phase is not P.SUCCEEDED
    return many == (node.phase is P.FAILED) and node.phase in (P.SUCCEEDED, P.FAILED)


def _is_users(node: Node) -> bool:
    """Return True if the node failed because of invalid values."""
    return node.state.error is not None and node.state.error["code"] in ("invalid-input", "wrong-type")


def _dynamic(sim: Simulation, node: Node, stops: Stops) -> bool:
    if node.child is not None:
        return _called(sim, node, stops)
    if node.state.error is not None and node.state.error["code"] == "DynamicTooDeep":
        return True
    return node.phase is not P.SUCCEEDED and _answered(sim, node, stops)


def _gate(sim: Simulation, node: Node, stops: Stops) -> bool:
    answer = node.state.answer
    if answer is None:
        return node.phase is P.TIMED_OUT and (node.path, "timer") in sim.observed.fired
    assert answer in sim.observed.answers
    return (node.phase is P.FAILED) == (answer.get("approved") is False)


def _sleep(sim: Simulation, node: Node, stops: Stops) -> bool:
    return node.phase is P.SUCCEEDED and (node.path, "timer") in sim.observed.fired


_REASONS = {
    "task": _answered, "launch_plan": _answered, "workflow": _called, "branch": _branch, "map": _map,
    "dynamic": _dynamic, "gate": _gate, "sleep": _sleep,
}  # fmt: skip


def _check_finish(sim: Simulation, stops: Stops) -> None:
    """Check the end of the execution against its nodes."""
    assert sim.finish is not None
    root, observed = sim.engine.root, sim.observed
    assert root.graph.on_failure is None or (root.failure_node is None) == (sim.finish.phase == "SUCCEEDED")
    if observed.cancelled:
        assert sim.finish.phase == "ABORTED"
    elif ("", "timeout") in observed.fired and not isinstance(root, MapRun):
        assert sim.finish.phase == "TIMED_OUT"
    elif sim.finish.phase == "SUCCEEDED":
        assert not stops(root)
        assert isinstance(root, MapRun) or {node.phase for node in root.nodes} <= {P.SUCCEEDED}
    else:
        assert sim.finish.phase == "FAILED"
        assert sim.finish.error is not None
        assert stops.has_failures(root) or sim.finish.error["code"] == "invalid-input", sim.finish.error
