"""What keeps a pod's containers from being created: it stands in events alone, not in the pod. Volumes, most of all."""

from __future__ import annotations

import logging
from dataclasses import replace

from flytemp.runtime.invocation import TaskError
from flytemp_activities.kubernetes.api import ApiError
from flytemp_activities.kubernetes.classify import PodStatus, missing_volume, user_error
from flytemp_activities.kubernetes.pods import Pod, Pods

logger = logging.getLogger("flytemp.kubernetes")


class Trouble:
    """Of one pod, as its last event told when it was asked."""

    def __init__(self, pods: Pods) -> None:
        self._pods = pods
        self._told = ""

    async def ask(self, pod: Pod) -> TaskError | None:
        """Look at the pod's events; the error when they say that it will never start."""
        metadata = pod["metadata"]
        try:
            events = await self._pods.events(metadata["namespace"], metadata["uid"])
        except ApiError as error:
            logger.info("events of pod %s could not be read: %s", metadata["name"], error)
            return None
        if not events:
            return None
        reason, message = events[-1]
        self._told = f"{reason}: {message}"
        if reason == "FailedMount" and (code := missing_volume(message)) is not None:
            return user_error(code, f"the pod does not start: {message}", retryable=False)
        return None

    def told_in(self, sight: PodStatus) -> PodStatus:
        """The sight, and what is wrong, where the pod itself does not say it."""
        is_silent = sight.wait == "starting" and not sight.message
        return replace(sight, message=self._told) if is_silent and self._told else sight
