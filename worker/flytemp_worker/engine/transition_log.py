"""Log of the moves of all nodes: it checks each against the table, counts phases and lists what changed."""

from __future__ import annotations

from collections import deque

from flytemp_worker.engine.nodes import Node
from flytemp_worker.engine.phases import ACTIVE, TRANSITIONS, IllegalMove, NodePhase

REMEMBERED_MOVES = 4_000
"""Number of moves, over all nodes, that are kept to explain an illegal one."""


class TransitionLog:
    """``counts`` has the number of registered nodes by phase, ``active`` the nodes in an active phase by path.

    ``changed`` has the nodes whose changes no activity in a workflow history shows, since a reader last emptied it; it is
    filled only if ``records`` is set.
    """

    __slots__ = ("_moves", "active", "changed", "counts", "records")

    def __init__(self, *, records: bool) -> None:
        self.counts: dict[NodePhase, int] = dict.fromkeys(NodePhase, 0)
        self.active: dict[str, Node] = {}
        self.changed: dict[str, Node] = {}
        self.records = records
        self._moves: deque[tuple[str, NodePhase, NodePhase, str]] = deque(maxlen=REMEMBERED_MOVES)

    def move(self, node: Node, phase: NodePhase, why: str) -> None:
        """Move a node to another phase.

        Raises:
            IllegalMove: the table does not have the move.
        """
        if phase not in TRANSITIONS[node.phase]:
            raise IllegalMove(node.path, f"cannot go from {node.phase} to {phase} ({why})", self.moves_of(node.path))
        self._moves.append((node.path, node.phase, phase, why))
        self.place(node, phase)

    def place(self, node: Node, phase: NodePhase) -> None:
        """Put a node into a phase without a check: after a restore or by a manual retry."""
        self.counts[node.phase] -= 1
        self.counts[phase] += 1
        if phase in ACTIVE:
            self.active[node.path] = node
        elif node.phase in ACTIVE:
            self.active.pop(node.path, None)
        node.phase = phase
        self.note(node)

    def remove(self, node: Node) -> None:
        """Forget a node that no longer exists."""
        self.counts[node.phase] -= 1
        self.active.pop(node.path, None)
        self.changed.pop(node.path, None)

    def note(self, node: Node) -> None:
        """Record a change, unless a history shows it: that of a task, or of a skipped node by what skipped it."""
        if node.kind != "task" and node.phase is not NodePhase.SKIPPED:
            self.record(node)

    def record(self, node: Node) -> None:
        """Record a change of any node."""
        if self.records:
            self.changed[node.path] = node

    def moves_of(self, path: str) -> list[str]:
        """Return the remembered moves of one node, oldest first."""
        return [f"{before} → {after}: {why}" for node, before, after, why in self._moves if node == path]
