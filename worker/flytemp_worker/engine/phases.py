"""The phases of a node and the one table of legal moves.

::

    WAITING ──▶ READY ──▶ RUNNING ──▶ SUCCEEDED | FAILED | TIMED_OUT
       │         │ ▲         │ └────▶ CANCELLING ──▶ SUCCEEDED | FAILED | TIMED_OUT | ABORTED
       │         │ │         ▼
       │         │ └────── BACKOFF ─▶ ABORTED | TIMED_OUT
       ▼         ▼
    SKIPPED   SKIPPED, when it never ran; ABORTED, between two attempts; FAILED, when its inputs lead nowhere;
              TIMED_OUT, when its deadline passes

Out of a final phase leads only a person's request to try again, which `reopening` carries out beside this table.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class NodePhase(StrEnum):
    WAITING = "WAITING"  # for the nodes it depends on
    READY = "READY"  # for its share of max_parallelism
    RUNNING = "RUNNING"
    BACKOFF = "BACKOFF"  # between two attempts or tries
    CANCELLING = "CANCELLING"  # asked to stop, not yet stopped
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    TIMED_OUT = "TIMED_OUT"
    ABORTED = "ABORTED"  # ran, and was stopped from outside
    SKIPPED = "SKIPPED"  # never ran


_P = NodePhase

FINAL: frozenset[NodePhase] = frozenset({_P.SUCCEEDED, _P.FAILED, _P.TIMED_OUT, _P.ABORTED, _P.SKIPPED})

ACTIVE: frozenset[NodePhase] = frozenset({_P.RUNNING, _P.BACKOFF, _P.CANCELLING})

TRANSITIONS: dict[NodePhase, frozenset[NodePhase]] = {
    _P.WAITING: frozenset({_P.READY, _P.SKIPPED}),
    _P.READY: frozenset({_P.RUNNING, _P.SKIPPED, _P.FAILED, _P.TIMED_OUT, _P.ABORTED}),
    _P.RUNNING: frozenset({_P.SUCCEEDED, _P.FAILED, _P.TIMED_OUT, _P.BACKOFF, _P.CANCELLING}),
    _P.BACKOFF: frozenset({_P.READY, _P.ABORTED, _P.TIMED_OUT}),
    _P.CANCELLING: frozenset({_P.ABORTED, _P.SUCCEEDED, _P.FAILED, _P.TIMED_OUT}),
    _P.SUCCEEDED: frozenset(),
    _P.FAILED: frozenset(),
    _P.TIMED_OUT: frozenset(),
    _P.ABORTED: frozenset(),
    _P.SKIPPED: frozenset(),
}


class IllegalMove(Exception):
    """A bug of flytemp: an event or a move that the node's phase does not allow. The text tells the node's story."""

    def __init__(self, node: str, what: str, story: Iterable[str]) -> None:
        lines = "\n".join(f"  {line}" for line in story) or "  (nothing yet)"
        super().__init__(f"node {node}: {what}. Its story so far:\n{lines}")
        self.node = node
