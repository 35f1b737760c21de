"""How a pod is brought to its end: deleted with its grace, its last words kept, waited for until it is gone."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time

from flytemp.runtime.invocation import TaskError
from flytemp_activities.backend import SystemFailure
from flytemp_activities.kubernetes.api import ApiError
from flytemp_activities.kubernetes.classify import classify
from flytemp_activities.kubernetes.cleanup import FinishedPod
from flytemp_activities.kubernetes.context import KubernetesContext
from flytemp_activities.kubernetes.watch import PodSubscription

GONE_SECONDS = 60.0
"""After its grace a deleted pod may take so long to go. Then its node does not answer, and it is removed by force."""

LAST_WORDS_SECONDS = 2.0
"""So long it may take until the output is being read, before the deletion, and until it is kept, after it."""

logger = logging.getLogger("flytemp.kubernetes")


async def delete_and_wait(yard: KubernetesContext, feed: PodSubscription, over: FinishedPod) -> None:
    """Delete the pod and return when it is gone. What its container says until then is kept.

    Raises:
        SystemFailure: it may not be deleted.
    """
    listening = None
    if classify(over.pod, over.primary).phase in ("running", "ended"):
        opened = asyncio.Event()
        listening = asyncio.create_task(yard.tidying.keep_last_words(over, opened))
        await _within(LAST_WORDS_SECONDS, opened)
    try:
        await delete(yard, over)
        grace = float((over.pod.get("spec") or {}).get("terminationGracePeriodSeconds") or 0)
        await _gone(yard, feed, over, grace + GONE_SECONDS)
        if not feed.gone:
            await delete(yard, over, 0)
    finally:
        if listening is not None:
            await asyncio.wait([listening], timeout=LAST_WORDS_SECONDS)
            listening.cancel()


async def delete(yard: KubernetesContext, over: FinishedPod, grace_seconds: float | None = None) -> None:
    """Ask for the deletion of this very pod until the server takes it.

    Raises:
        SystemFailure: it refuses.
    """
    pause = 0.2
    while True:
        try:
            await yard.pods.delete(over.namespace, over.name, over.uid, grace_seconds)
            return
        except ApiError as error:
            if not error.is_passing:
                raise SystemFailure(TaskError.of("ApiError", f"the pod could not be deleted: {error}")) from error
            await asyncio.sleep(error.retry_after or pause)
            pause = min(pause * 2, 5.0)


async def look_again(yard: KubernetesContext, feed: PodSubscription, over: FinishedPod) -> None:
    """Ask for the pod itself, in case its watch missed something."""
    try:
        feed.see_now(await yard.pods.get(over.namespace, over.name))
    except ApiError as error:
        logger.info("pod %s could not be looked at: %s", over.name, error)


async def _gone(yard: KubernetesContext, feed: PodSubscription, over: FinishedPod, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not feed.gone and time.monotonic() < end:
        feed.changed.clear()
        await _within(5, feed.changed)
        if not feed.changed.is_set():
            await look_again(yard, feed, over)


async def _within(seconds: float, event: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
