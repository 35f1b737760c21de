"""Every move of every node goes through the ledger: checked against the table, counted and remembered."""

from __future__ import annotations

from collections import deque

from flytemp_worker.engine.nodes import Node
from flytemp_worker.engine.phases import ACTIVE, TRANSITIONS, IllegalMove, NodePhase

STORY_LENGTH = 4_000
"""How many moves, of all nodes together, are remembered to explain an illegal one."""


class TransitionLog:
    """``counts`` is of the nodes of all scopes that were called; ``active`` are those that run, wait to try again
    or are being stopped, by path, for whoever watches. ``changed`` are nodes other than tasks that moved since the
    journal was last written; it is kept only where ``journals`` is set."""

    __slots__ = ("_story", "active", "changed", "counts", "journals")

    def __init__(self) -> None:
        self.counts: dict[NodePhase, int] = dict.fromkeys(NodePhase, 0)
        self.active: dict[str, Node] = {}
        self.changed: dict[str, Node] = {}
        self.journals = False
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
        self.note(node)

    def drop(self, node: Node) -> None:
        """It is no node any more."""
        self.counts[node.phase] -= 1
        self.active.pop(node.path, None)
        self.changed.pop(node.path, None)

    def note(self, node: Node) -> None:
        """A node changed in a way that no activity in a history tells. What is skipped is told by what skipped it."""
        if node.plan.kind != "task" and node.phase is not NodePhase.SKIPPED:
            self.write(node)

    def write(self, node: Node) -> None:
        """Into the journal, whatever it is."""
        if self.journals:
            self.changed[node.path] = node

    def story(self, path: str) -> list[str]:
        """The remembered moves of one node, oldest first."""
        return [f"{before} → {after}: {why}" for node, before, after, why in self._story if node == path]
