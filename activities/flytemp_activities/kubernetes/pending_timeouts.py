"""How long a pod may wait, by the reason for which it waits. Clocks are this process's: a node's may be off."""

from __future__ import annotations

import time

from flytemp.runtime.invocation import TaskError
from flytemp_activities.kubernetes.policy import WaitLimits

FIRST_EVENTS_SECONDS = 8.0
"""A pod that has a node and whose containers are still being created after so long has a reason, told in its events."""

NEXT_EVENTS_SECONDS = 30.0


class PendingTimeouts:
    """Of one try. Time counts from when a reason was first seen; another reason begins anew."""

    def __init__(self, waits: WaitLimits) -> None:
        self._waits = waits
        self._kind: str | None = None
        self._since = 0.0
        self._events_at = 0.0
        self._last = ("", "")

    def note(self, kind: str | None, reason: str = "", message: str = "") -> None:
        """It waits for this; None: it does not wait."""
        self._last = (reason, message)
        if kind != self._kind:
            self._kind, self._since = kind, time.monotonic()
            self._events_at = self._since + FIRST_EVENTS_SECONDS

    def until(self) -> float | None:
        """The monotonic time at which something is to be done if nothing has happened."""
        if self._kind is None:
            return None
        limit = self._limit()
        moments = [self._since + limit] if limit else []
        if self._kind == "starting":
            moments.append(self._events_at)
        return min(moments) if moments else None

    def exceeded(self) -> TaskError | None:
        """The error of a wait that took longer than it may."""
        limit = self._limit()
        if not limit or time.monotonic() - self._since < limit:
            return None
        reason, message = self._last
        text = f"the pod waited for {limit:g} s, the most that the platform allows: {reason}: {message}".rstrip(": ")
        return TaskError(kind="SYSTEM", code=reason or "PodPending", message=text)

    def should_ask_events(self) -> bool:
        """Whether it is time to look at the pod's events; then the next time is later."""
        if time.monotonic() < self._events_at:
            return False
        self._events_at = time.monotonic() + NEXT_EVENTS_SECONDS
        return True

    def _limit(self) -> float:
        return float(getattr(self._waits, self._kind or "", 0.0))
