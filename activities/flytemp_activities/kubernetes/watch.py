"""One list and watch for all pods of a deployment, whose events reach whoever follows a pod.

The recipe is that of client-go's reflector: a list, then watches from its resourceVersion on, with bookmarks; after 410 a new
list, of which the difference is told. Of pods that nobody here follows only new ones are kept, for a moment: another worker may
have created them for tasks whose activities come to this one.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from typing import Any

from flytemp_activities.kubernetes.api import ApiError, KubernetesApi

Pod = dict[str, Any]
Key = tuple[str, str]
"""Namespace and name."""

WATCH_SECONDS = 270
"""After so long the server ends a watch, and the next one begins where it ended."""

SILENCE_SECONDS = WATCH_SECONDS + 30
"""A watch without a word, not even a bookmark (they come about every minute), is a dead connection."""

NEW_SECONDS, MOST_NEW = 10.0, 1_000
"""So long, and so many, new pods that nobody follows are remembered."""

_PAGE = 500
_FIRST_PAUSE, _LAST_PAUSE = 0.2, 5.0

logger = logging.getLogger("flytemp.kubernetes")


class PodSubscription:
    """One pod, as it was last seen. ``gone``: the server said that it is no more."""

    def __init__(self) -> None:
        self.pod: Pod | None = None
        self.gone = False
        self.changed = asyncio.Event()

    def see(self, pod: Pod | None) -> None:
        """The pod as an answer or an event tells; None: there is none. A pod of the same name but another uid is not it."""
        if pod is None:
            self.gone = True
        elif self.pod is not None and self.pod["metadata"]["uid"] != pod["metadata"]["uid"]:
            return
        else:
            self.pod = pod
        self.changed.set()

    def see_now(self, pod: Pod | None) -> None:
        """What is there now under the pod's name, as asked after it was seen. If that is another, it is gone."""
        is_another = pod is not None and self.pod is not None and self.pod["metadata"]["uid"] != pod["metadata"]["uid"]
        self.see(None if is_another else pod)


class NewPods:
    """Pods that were created a moment ago and that nobody here follows, as they were last seen."""

    def __init__(self) -> None:
        self._pods: dict[Key, tuple[float, Pod]] = {}  # by the time at which they were added

    def take(self, kind: str, pod: Pod) -> None:
        """An event of the watch."""
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
        """The pod of that name, if it is new; it is followed now."""
        self._forget()
        found = self._pods.pop(key, None)
        return found[1] if found is not None else None

    def clear(self) -> None:
        """The watch has missed what became of them."""
        self._pods.clear()

    def _forget(self) -> None:
        oldest = time.monotonic() - NEW_SECONDS
        while self._pods:
            key = next(iter(self._pods))
            if len(self._pods) <= MOST_NEW and self._pods[key][0] >= oldest:
                break
            del self._pods[key]


class PodWatch:
    """Lists and watches pods by a label selector, in one namespace or in all (``namespace`` is None)."""

    def __init__(self, api: KubernetesApi, selector: str, namespace: str | None) -> None:
        self._api = api
        self._selector = selector
        self._path = f"/api/v1/namespaces/{namespace}/pods" if namespace else "/api/v1/pods"
        self._feeds: dict[Key, PodSubscription] = {}
        self._new = NewPods()
        self._version = ""
        self._heard = False  # a word from the watch that is open
        self._task: asyncio.Task[None] | None = None
        self.healthy = asyncio.Event()
        self.problem: str | None = None
        """Why nothing is heard at the moment."""

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def follow(self, key: Key) -> PodSubscription:
        """The feed of a pod, which need not be there yet."""
        feed = self._feeds.setdefault(key, PodSubscription())
        if feed.pod is None and (new := self._new.pop(key)) is not None:
            feed.see(new)
        return feed

    def forget(self, key: Key) -> None:
        self._feeds.pop(key, None)

    async def _run(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            self._heard = False
            try:
                if not self._version:
                    await self._list()
                self.healthy.set()
                self.problem = None
                await self._watch()
                if self._heard:
                    pause = _FIRST_PAUSE
                    continue
            except ApiError as error:
                if error.status == 410:
                    self._version = ""
                self.problem = str(error)
                if self._heard:
                    pause = _FIRST_PAUSE
                log = logger.info if error.status in (0, 410) else logger.warning
                log("the watch of pods broke off: %s; it goes on in %.1f s", error, error.retry_after or pause)
                await asyncio.sleep((error.retry_after or pause) * random.uniform(0.7, 1.3))
            except Exception:
                self._version = ""
                logger.exception("the watch of pods failed; it begins anew")
                await asyncio.sleep(pause)
            else:
                await asyncio.sleep(pause)  # whoever ends watches at once is not asked again at once
            pause = min(pause * 2, _LAST_PAUSE)

    async def _list(self) -> None:
        """What is there now. A pod that is followed and not there is gone, if it was there before."""
        seen: set[Key] = set()
        self._new.clear()
        parameters = {"labelSelector": self._selector, "limit": str(_PAGE)}
        before = {key for key, feed in self._feeds.items() if feed.pod is not None}
        while True:
            page = await self._api.request("GET", self._path, parameters=parameters)
            for pod in page["items"]:
                key = _key(pod)
                seen.add(key)
                feed = self._feeds.get(key)
                if feed is not None and key in before:
                    feed.see_now(pod)
                elif feed is not None:
                    feed.see(pod)
            if not page["metadata"].get("continue"):
                break
            parameters["continue"] = page["metadata"]["continue"]
        for key in before - seen:  # pods made while the list was under way were not there before
            self._feeds[key].see(None)
        self._version = page["metadata"]["resourceVersion"]

    async def _watch(self) -> None:
        parameters = {
            "labelSelector": self._selector,
            "resourceVersion": self._version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        async for event in self._api.watch(self._path, parameters, silence_seconds=SILENCE_SECONDS):
            self._take(event["type"], event["object"])

    def _take(self, kind: str, pod: Pod) -> None:
        if kind == "ERROR":
            raise ApiError(int(pod.get("code") or 500), str(pod.get("reason") or ""), str(pod.get("message") or ""))
        self._version = pod["metadata"]["resourceVersion"]
        self._heard = True
        if kind == "BOOKMARK":
            return
        feed = self._feeds.get(_key(pod))
        if feed is None:
            self._new.take(kind, pod)
        elif kind == "DELETED":
            _deleted(feed, pod)
        else:
            feed.see(pod)


def _deleted(feed: PodSubscription, pod: Pod) -> None:
    """Its last state, and that there is no more to come."""
    if feed.pod is None or feed.pod["metadata"]["uid"] == pod["metadata"]["uid"]:
        feed.see(pod)
        feed.see(None)


def _key(pod: Pod) -> Key:
    return pod["metadata"]["namespace"], pod["metadata"]["name"]
