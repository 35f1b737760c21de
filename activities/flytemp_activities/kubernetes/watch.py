"""List and watch of all pods of a deployment, with subscriptions to single pods.

The method is that of client-go's reflector: a list, then watches from its resourceVersion with bookmarks; after status 410 a new
list, whose differences count as events. Pods without a subscription are kept only while they are new: another worker may have
created them for tasks whose activities arrive here.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

from flytemp.request_retries import pauses
from flytemp_activities.kubernetes.api import ApiError, KubernetesApi

Pod = dict[str, Any]
Key = tuple[str, str]
"""Namespace and name of a pod."""

WATCH_SECONDS = 270
"""Duration of a watch. The next watch continues where it ended."""

SILENCE_SECONDS = WATCH_SECONDS + 30
"""Time without an event after which a connection counts as broken. The server sends a bookmark about every minute."""

NEW_SECONDS, MOST_NEW = 10.0, 1_000
"""Duration in seconds and maximum number for which new pods without a subscription are kept."""

_PAGE = 500
_PAUSES = (0.25, 2.0, 6.0)
"""First pause in seconds, factor, longest pause between watches that break off."""

logger = logging.getLogger("flytemp.kubernetes")


class PodSubscription:
    """Last known state of one pod. ``gone``: the server reported that the pod does not exist."""

    def __init__(self) -> None:
        self.pod: Pod | None = None
        self.gone = False
        self.changed = asyncio.Event()

    def update(self, pod: Pod | None) -> None:
        """Set the pod from a response or an event; None if it is gone. A pod with the same name and another uid is ignored."""
        if pod is None:
            self.gone = True
        elif self.pod is not None and self.pod["metadata"]["uid"] != pod["metadata"]["uid"]:
            return
        else:
            self.pod = pod
        self.changed.set()

    def replace(self, pod: Pod | None) -> None:
        """Set the pod from a response that is newer than all events. If another pod has the name, this pod is gone."""
        is_another = pod is not None and self.pod is not None and self.pod["metadata"]["uid"] != pod["metadata"]["uid"]
        self.update(None if is_another else pod)


class NewPods:
    """Last known states of new pods without a subscription."""

    def __init__(self) -> None:
        self._pods: dict[Key, tuple[float, Pod]] = {}  # with the time of their addition

    def apply(self, kind: str, pod: Pod) -> None:
        """Apply an event of the watch."""
        key = _key(pod)
        if kind == "DELETED":
            self._pods.pop(key, None)
        elif kind == "ADDED":
            self._pods.pop(key, None)
            self._pods[key] = (time.monotonic(), pod)
        elif key in self._pods:
            self._pods[key] = (self._pods[key][0], pod)
        self._forget()

    def pop(self, key: Key) -> Pod | None:
        """Remove and return the pod, or None."""
        self._forget()
        found = self._pods.pop(key, None)
        return found[1] if found is not None else None

    def clear(self) -> None:
        """Remove all pods, because the watch missed events."""
        self._pods.clear()

    def _forget(self) -> None:
        oldest = time.monotonic() - NEW_SECONDS
        while self._pods:
            key = next(iter(self._pods))
            if len(self._pods) <= MOST_NEW and self._pods[key][0] >= oldest:
                break
            del self._pods[key]


class PodWatch:
    """Watch of the pods with given labels, in one namespace or in all (``namespace`` is None)."""

    def __init__(self, api: KubernetesApi, selector: str, namespace: str | None) -> None:
        self._api = api
        self._selector = selector
        self._path = f"/api/v1/namespaces/{namespace}/pods" if namespace else "/api/v1/pods"
        self._subscriptions: dict[Key, PodSubscription] = {}
        self._new = NewPods()
        self._version = ""
        self._has_events = False  # the open watch has sent an event
        self._task: asyncio.Task[None] | None = None
        self.healthy = asyncio.Event()
        self.problem: str | None = None
        """Error of the watch while it is broken, or None."""

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def follow(self, key: Key) -> PodSubscription:
        """Return the subscription to a pod, which need not exist yet."""
        subscription = self._subscriptions.setdefault(key, PodSubscription())
        if subscription.pod is None and (new := self._new.pop(key)) is not None:
            subscription.update(new)
        return subscription

    def unfollow(self, key: Key) -> None:
        """End the subscription to a pod."""
        self._subscriptions.pop(key, None)

    async def _run(self) -> None:
        waits = pauses(None, *_PAUSES)
        while True:
            self._has_events = False
            try:
                if not self._version:
                    await self._list()
                self.healthy.set()
                self.problem = None
                await self._watch()
                if self._has_events:
                    waits = pauses(None, *_PAUSES)
                    continue
                await asyncio.sleep(next(waits))  # the server ended the watch at once
            except ApiError as error:
                if error.status == 410:
                    self._version = ""
                self.problem = str(error)
                if self._has_events:
                    waits = pauses(None, *_PAUSES)
                pause = error.retry_after or next(waits)
                log = logger.info if error.status in (0, 410) else logger.warning
                log("the watch of pods broke off: %s; it continues in %.1f s", error, pause)
                await asyncio.sleep(pause)
            except Exception:
                self._version = ""
                logger.exception("the watch of pods failed; it starts again with a list")
                await asyncio.sleep(next(waits))

    async def _list(self) -> None:
        """Read all pods. A subscribed pod that existed before and is not in the list is gone."""
        seen: set[Key] = set()
        self._new.clear()
        parameters = {"labelSelector": self._selector, "limit": str(_PAGE)}
        before = {key for key, subscription in self._subscriptions.items() if subscription.pod is not None}
        while True:
            page = await self._api.request("GET", self._path, parameters=parameters)
            for pod in page["items"]:
                key = _key(pod)
                seen.add(key)
                subscription = self._subscriptions.get(key)
                if subscription is not None and key in before:
                    subscription.replace(pod)
                elif subscription is not None:
                    subscription.update(pod)
            if not page["metadata"].get("continue"):
                break
            parameters["continue"] = page["metadata"]["continue"]
        for key in before - seen:  # a pod that was created during the list did not exist before
            self._subscriptions[key].update(None)
        self._version = page["metadata"]["resourceVersion"]

    async def _watch(self) -> None:
        parameters = {
            "labelSelector": self._selector,
            "resourceVersion": self._version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        async for event in self._api.watch(self._path, parameters, silence_seconds=SILENCE_SECONDS):
            self._apply(event["type"], event["object"])

    def _apply(self, kind: str, pod: Pod) -> None:
        if kind == "ERROR":
            raise ApiError(int(pod.get("code") or 500), str(pod.get("reason") or ""), str(pod.get("message") or ""))
        self._version = pod["metadata"]["resourceVersion"]
        self._has_events = True
        if kind == "BOOKMARK":
            return
        subscription = self._subscriptions.get(_key(pod))
        if subscription is None:
            self._new.apply(kind, pod)
        elif kind == "DELETED":
            _deleted(subscription, pod)
        else:
            subscription.update(pod)


def _deleted(subscription: PodSubscription, pod: Pod) -> None:
    """Apply the deletion of a pod, with its last state."""
    if subscription.pod is None or subscription.pod["metadata"]["uid"] == pod["metadata"]["uid"]:
        subscription.update(pod)
        subscription.update(None)


def _key(pod: Pod) -> Key:
    return pod["metadata"]["namespace"], pod["metadata"]["name"]
