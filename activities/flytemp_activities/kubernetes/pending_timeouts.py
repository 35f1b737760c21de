"""Pods that wait: the time limit for each reason, and the reasons that only the events of a pod have."""

from __future__ import annotations

import logging
import time
from dataclasses import replace

from flytemp.runtime.invocation import TaskError
from flytemp_activities.kubernetes.api import ApiError
from flytemp_activities.kubernetes.classify import PodStatus
from flytemp_activities.kubernetes.pods import Pod, Pods
from flytemp_activities.kubernetes.policy import PendingLimits

FIRST_EVENTS_SECONDS = 8.0
"""Seconds after which the events of a pod with a node are read, while its containers are being created."""

NEXT_EVENTS_SECONDS = 30.0
"""Seconds until the events are read again."""

logger = logging.getLogger("flytemp.kubernetes")


class PendingTimeouts:
    """Time limits of one waiting pod, by the clock of this process.

    The time of a reason counts from its first observation. A change of the reason restarts the time.
    """

    def __init__(self, limits: PendingLimits) -> None:
        self._limits = limits
        self._kind: str | None = None
        self._since = 0.0
        self._events_at = 0.0
        self._last = ("", "")

    def set_reason(self, kind: str | None, reason: str = "", message: str = "") -> None:
        """Set the reason why the pod waits; None if the pod does not wait."""
        self._last = (reason, message)
        if kind != self._kind:
            self._kind, self._since = kind, time.monotonic()
            self._events_at = self._since + FIRST_EVENTS_SECONDS

    def next_check(self) -> float | None:
        """Return the monotonic time of the next limit or the next reading of the events, or None."""
        if self._kind is None:
            return None
        limit = self._limit()
        moments = [self._since + limit] if limit else []
        if self._kind == "starting":
            moments.append(self._events_at)
        return min(moments) if moments else None

    def exceeded(self) -> TaskError | None:
        """Return the error of a wait that exceeded its limit, or None."""
        limit = self._limit()
        if not limit or time.monotonic() - self._since < limit:
            return None
        reason, message = self._last
        text = f"the pod waited for {limit:g} s, the limit of the policy: {reason}: {message}".rstrip(": ")
        return TaskError.of("PodPending", text)

    def should_read_events(self) -> bool:
        """Return whether to read the events of the pod now, and schedule the next reading."""
        if time.monotonic() < self._events_at:
            return False
        self._events_at = time.monotonic() + NEXT_EVENTS_SECONDS
        return True

    def _limit(self) -> float:
        return float(getattr(self._limits, self._kind or "", 0.0))


class PodEvents:
    """Warning events of one pod. The reason why containers are not created, such as a volume, is in events alone."""

    def __init__(self, pods: Pods) -> None:
        self._pods = pods
        self._last = ""

    async def read(self, pod: Pod) -> TaskError | None:
        """Read the events; return an error if they say that the pod will never start."""
        metadata = pod["metadata"]
        try:
            events = await self._pods.events(metadata["namespace"], metadata["uid"])
        except ApiError as error:
            logger.info("events of pod %s could not be read: %s", metadata["name"], error)
            return None
        if not events:
            return None
        reason, message = events[-1]
        self._last = f"{reason}: {message}"
        if reason == "FailedMount" and (code := _missing_volume(message)) is not None:
            return TaskError.of(code, f"the pod does not start: {message}")
        return None

    def annotate(self, status: PodStatus) -> PodStatus:
        """Return the status with the last event as its message, if the pod's own status has no message."""
        is_silent = status.wait == "starting" and not status.message
        return replace(status, message=self._last) if is_silent and self._last else status


def _missing_volume(message: str) -> str | None:
    """Return the outcome's code if an event of the kubelet says that the source of a volume does not exist."""
    for source, key, code in (("secret", "secret", "SecretNotFound"), ("configmap", "config", "ConfigMapNotFound")):
        if f"references non-existent {key} key" in message or (f'{source} "' in message and "not found" in message):
            return code
    return None
