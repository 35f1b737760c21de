"""Reports of a running try to the activities that wait for it."""

from __future__ import annotations

from typing import Any

from flytemp_activities.backend import Report


class TryReports:
    """Subscribers of one try. Each receives the current details when it subscribes, and again after every change."""

    def __init__(self) -> None:
        self._subscribers: list[Report] = []
        self._details: dict[str, Any] = {"phase": "queued"}

    @property
    def has_subscribers(self) -> bool:
        """True while an activity waits for the try."""
        return bool(self._subscribers)

    def subscribe(self, report: Report) -> None:
        """Add a subscriber."""
        self._subscribers.append(report)
        report(dict(self._details))

    def unsubscribe(self, report: Report) -> None:
        """Remove a subscriber."""
        self._subscribers.remove(report)

    def publish(self, **details: Any) -> None:
        """Replace the details."""
        if details != self._details:
            self._details = details
            for report in list(self._subscribers):
                report(dict(details))

    def update(self, **changes: Any) -> None:
        """Replace some of the details."""
        self.publish(**{**self._details, **changes})
