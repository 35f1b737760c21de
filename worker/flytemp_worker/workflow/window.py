"""Adaptive limit of the task activities that are in flight."""

from __future__ import annotations

INITIAL_WINDOW = 45
"""Initial number of task activities in flight.

The server buffers at most 100 events during a workflow task, and a completion is two events; more fail the workflow task. So the
window grows only while tasks end one by one.
"""

CALM_COMPLETIONS, BUSY_COMPLETIONS = 2, 8
"""Completions between two checks: the window doubles at up to the first number and shrinks at the second or more."""

QUIET_COMPLETIONS, POLL_SECONDS, BUSY_POLL_SECONDS = 2, 0.05, 0.1
"""Time until a full window is checked again: `POLL_SECONDS` after at most `QUIET_COMPLETIONS` completions since the last check,
`BUSY_POLL_SECONDS` otherwise. Completions normally trigger the check; the timer is for the case that none is left."""


class TaskWindow:
    """Maximum number of task activities in flight, adapted to the rate of completions.

    Attributes:
        size: the current maximum.
    """

    def __init__(self) -> None:
        self.size = INITIAL_WINDOW
        self._completions = 0  # since the last check
        self._completions_in_poll = 0  # since the poll timer started
        self._is_poll_over = False  # the poll timer fired since the last check
        self._is_cautious = False  # many tasks ended at once: grow only after a poll interval with few completions

    def begin_poll(self) -> None:
        """Start counting completions for a poll timer."""
        self._completions_in_poll = 0

    def end_poll(self) -> None:
        """Note that the poll timer fired."""
        self._is_poll_over = True

    def poll_seconds(self) -> float:
        """Return the time until the next check of a full window."""
        if self._completions <= QUIET_COMPLETIONS:
            return POLL_SECONDS
        self._is_cautious = True
        return BUSY_POLL_SECONDS

    def check(self, completions: int, *, may_grow: bool, limit: int) -> bool:
        """Adapt the size to the completions since the last check. Return True if it grew.

        Args:
            completions: task activities that ended since the last check.
            may_grow: a task waits for the window.
            limit: the maximum size.
        """
        self._completions = completions
        self._completions_in_poll += completions
        relevant = self._completions_in_poll if self._is_cautious and self._is_poll_over else completions
        self._is_poll_over = False
        if completions >= BUSY_COMPLETIONS:
            self.size = max(INITIAL_WINDOW, self.size * 3 // 4)
        elif relevant <= CALM_COMPLETIONS and may_grow:
            self.size = min(limit, self.size * 2)
            self._is_cautious = False
            return True
        return False
