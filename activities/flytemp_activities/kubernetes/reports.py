"""What is known of a try while it goes on, for those who wait for it."""

from __future__ import annotations

from typing import Any

from flytemp_activities.backend import Report
from flytemp_activities.kubernetes.classify import PodStatus
from flytemp_activities.kubernetes.manifest import Built
from flytemp_activities.kubernetes.pods import Pod

MOST_MESSAGE = 200
"""Characters of a message that are reported."""


class Reports:
    """Each who waits is told the state when he comes, and at every change."""

    def __init__(self) -> None:
        self._to: list[Report] = []
        self._state: dict[str, Any] = {"phase": "queued"}

    def __bool__(self) -> bool:
        """Somebody waits now."""
        return bool(self._to)

    def add(self, report: Report) -> None:
        self._to.append(report)
        report(dict(self._state))

    def remove(self, report: Report) -> None:
        self._to.remove(report)

    def tell(self, **state: Any) -> None:
        """What is told now is all that holds."""
        if state != self._state:
            self._state = state
            for report in list(self._to):
                report(dict(state))


def state_of(built: Built, pod: Pod, sight: PodStatus) -> dict[str, Any]:
    """What is reported of a pod."""
    state: dict[str, Any] = {"phase": "running" if sight.phase == "ended" else sight.phase}
    state.update(namespace=built.namespace, pod=pod["metadata"]["name"], uid=pod["metadata"]["uid"])
    if built.primary != "primary":
        state["container"] = built.primary
    state.update({key: value for key, value in (("reason", sight.reason), ("node", sight.node)) if value})
    if sight.message:
        state["message"] = sight.message[:MOST_MESSAGE]
    if built.notes:
        state["limited"] = "; ".join(built.notes)[:MOST_MESSAGE]
    return state
