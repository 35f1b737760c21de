"""The phases of a node and the table of legal moves.

::

    WAITING ──▶ READY ──▶ RUNNING ──▶ SUCCEEDED | FAILED | TIMED_OUT
       │         │ ▲         │ └────▶ CANCELLING ──▶ SUCCEEDED | FAILED | TIMED_OUT | ABORTED
       │         │ │         ▼
       │         │ └────── BACKOFF ─▶ ABORTED | TIMED_OUT
       ▼         ▼
    SKIPPED   SKIPPED, if it never ran; ABORTED, between two attempts; FAILED, if its inputs cannot be resolved;
              TIMED_OUT, if its deadline passes

A final phase is left only by a manual retry, which `manual_retry` performs without this table.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class NodePhase(StrEnum):
    WAITING = "WAITING"  # for the nodes it depends on
    READY = "READY"  # for a free slot
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

FAILED: frozenset[NodePhase] = frozenset({_P.FAILED, _P.TIMED_OUT})

ACTIVE: frozenset[NodePhase] = frozenset({_P.RUNNING, _P.BACKOFF, _P.CANCELLING})

TRANSITIONS: dict[NodePhase, frozenset[NodePhase]] = {
    _P.WAITING: frozenset({_P.READY, _P.SKIPPED}),
    _P.READY: frozenset({_P.RUNNING, _P.SKIPPED, _P.FAILED, _P.TIMED_OUT, _P.ABORTED}),
    _P.RUNNING: frozenset({_P.SUCCEEDED, _P.FAILED, _P.TIMED_OUT, _P.BACKOFF, _P.CANCELLING}),
    _P.BACKOFF: frozenset({_P.READY, _P.ABORTED, _P.TIMED_OUT}),
    _P.CANCELLING: frozenset({_P.ABORTED, _P.SUCCEEDED, _P.FAILED, _P.TIMED_OUT}),
    **dict.fromkeys(FINAL, frozenset()),
}


class IllegalMove(Exception):
    """A bug in flytemp: an event or a move that the node's phase does not allow. The text lists the node's last moves."""

    def __init__(self, node: str, problem: str, moves: Iterable[str] = ()) -> None:
        lines = "\n".join(f"  {line}" for line in moves) or "  (none)"
        super().__init__(f"node {node}: {problem}. Its moves so far:\n{lines}")
        self.node = node
