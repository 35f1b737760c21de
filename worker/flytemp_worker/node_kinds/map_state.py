"""State of maps: of the attempt, of each chunk, and of the run of the calls."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from flytemp.spec.bindings import Binding, graph_input
from flytemp_worker.engine.errors import Error
from flytemp_worker.engine.handlers import NodeHandler, P
from flytemp_worker.engine.nodes import Attempt, GraphRun, Node
from flytemp_worker.engine.phases import FINAL
from flytemp_worker.engine.plan import MapPlan


@dataclass(slots=True)
class Chunk:
    """A chunk of a large map. ``phase`` is WAITING, RUNNING or a final phase."""

    attempt: int
    phase: str = "WAITING"
    width: int = 0  # slots that are allocated to it
    succeeded: int = 0  # calls, once it has ended
    failed: int = 0
    all_started: bool = False  # it runs, and has no calls left to start


@dataclass(slots=True)
class MapAttempt(Attempt):
    items: int | None = None  # None until the lengths of the lists are known
    chunks: list[Chunk] = field(default_factory=list)
    failure: Error | None = None  # of a chunk, which the map fails with when all chunks have ended
    stops: bool = False  # because of that failure
    stored: bool = False  # the outputs are a manifest in the store

    @property
    def is_stored(self) -> bool:
        return self.stored

    @property
    def failed(self) -> int:
        """Number of calls that failed in the chunks that have ended."""
        return sum(chunk.failed for chunk in self.chunks)

    def to_fields(self) -> dict[str, Any]:
        return {"chunks": [asdict(chunk) for chunk in self.chunks]} if self.chunks else {}

    def from_fields(self, fields: dict[str, Any]) -> None:
        self.chunks = [Chunk(**chunk) for chunk in fields.get("chunks", ())]


class MapRun(GraphRun):
    """The calls of a map, or of one chunk of it: ``count`` items from ``first`` on. ``width`` calls may be open, 0 for all."""

    __slots__ = ("count", "excess", "first", "next_item", "plan", "width")
    root_kind = "map"

    def __init__(
        self, plan: MapPlan, parent: Node | None, handlers: dict[str, NodeHandler], count: int, *, first: int = 0, width: int = 0,
        path: str = "",
    ) -> None:  # fmt: skip
        self.plan = plan
        self.first = first
        self.count = count
        self.width = width
        self.next_item = 0  # nodes before this one have been opened
        self.excess = 0  # open calls beyond ``width``, after a manual retry
        super().__init__(plan.graph, parent, handlers, path=path)

    def make_nodes(self) -> list[Node]:
        """Return a node for each call, or for each group of calls that share a try."""
        group, end = self.plan.group, self.first + self.count
        if group == 1:
            return [Node(self.plan.item, self, str(index), index) for index in range(self.first, end)]
        starts = range(self.first, end, group)
        return [Node(self.plan.item, self, f"g{index // group}", index, min(group, end - index)) for index in starts]

    def count_waiting(self) -> None:
        super().count_waiting()
        waiting = (number for number, node in enumerate(self.nodes) if node.phase is P.WAITING)
        self.next_item = next(waiting, len(self.nodes))
        self.excess = max(0, -self.free_calls())

    def free_calls(self) -> int:
        """Return how many more calls may be open; negative if too many are."""
        is_open = (node.phase not in FINAL and node.phase is not P.WAITING for node in self.nodes)
        return (self.width or len(self.nodes)) - sum(is_open)

    def bindings_of(self, node: Node) -> dict[str, Binding]:
        return self._call(node, 0)

    def calls_of(self, node: Node) -> list[dict[str, Binding]] | None:
        return None if self.plan.group == 1 else [self._call(node, offset) for offset in range(node.calls)]

    def _call(self, node: Node, offset: int) -> dict[str, Binding]:
        """Return the bindings of a call: its item of each list that is mapped over, and the other inputs."""
        assert node.index is not None
        position = [node.index - self.first + offset]
        return {var: graph_input(var, position if var in self.plan.over else None) for var in self.plan.inputs}

    def counts(self) -> tuple[int, int]:
        """Return the numbers of calls that succeeded, and that failed or were stopped."""
        succeeded = failed = 0
        for node in self.nodes:
            if node.phase is P.SUCCEEDED:
                succeeded += node.calls
            elif node.phase in FINAL and node.phase is not P.SKIPPED:
                bad = len(failed_items(node))
                succeeded, failed = succeeded + node.calls - bad, failed + bad
        return succeeded, failed


def failed_items(node: Node) -> set[int]:
    """Return the calls of a node that failed, by their positions in it."""
    if node.phase is P.SUCCEEDED:
        return set()
    error = node.state.error
    return set(error["failed_items"]) if error is not None and "failed_items" in error else set(range(node.calls))


def state_of(node: Node) -> MapAttempt:
    assert isinstance(node.state, MapAttempt)
    return node.state


def plan_of(node: Node) -> MapPlan:
    assert node.plan.map is not None
    return node.plan.map


def items_of(node: Node) -> int:
    """Return the number of items of a map whose lengths are known."""
    items = state_of(node).items
    assert items is not None
    return items
