"""Every move of every node goes through the ledger: checked against the table, counted and remembered."""

from __future__ import annotations

from collections import deque

from flytemp_worker.engine.nodes import Node
from flytemp_worker.engine.phases import ACTIVE, TRANSITIONS, IllegalMove, NodePhase

STORY_LENGTH = 4_000
"""How many moves, of all nodes together, are remembered to explain an illegal one."""


class Ledger:
    """``counts`` is of the nodes of all scopes that were called; ``active`` are those that run, wait to try again
    or are being stopped, by path, for whoever watches."""

    __slots__ = ("_story", "active", "counts")

    def __init__(self) -> None:
        self.counts: dict[NodePhase, int] = dict.fromkeys(NodePhase, 0)
        self.active: dict[str, Node] = {}
        self._story: deque[tuple[str, NodePhase, NodePhase, str]] = deque(maxlen=STORY_LENGTH)

    def move(self, node: Node, phase: NodePhase, why: str) -> None:
        """
        Raises:
            IllegalMove: the table has no such move.
        """
        if phase not in TRANSITIONS[node.phase]:
            raise IllegalMove(node.path, f"cannot go from {node.phase} to {phase} ({why})", self.story(node.path))
        self._story.append((node.path, node.phase, phase, why))
        self.put(node, phase)

    def put(self, node: Node, phase: NodePhase) -> None:
        """Into ``phase`` from wherever it is, as a restored state says."""
        self.counts[node.phase] -= 1
        self.counts[phase] += 1
        if phase in ACTIVE:
            self.active[node.path] = node
        elif node.phase in ACTIVE:
            self.active.pop(node.path, None)
        node.phase = phase

    def story(self, path: str) -> list[str]:
        """The remembered moves of one node, oldest first."""
        return [f"{before} → {after}: {why}" for node, before, after, why in self._story if node == path]
