"""Requests about single pods: create or adopt, look, delete, read the log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

from flytemp_activities.kubernetes.api import ApiError, KubernetesApi

Pod = dict[str, Any]

LOG_BYTES = 16 * 1024 * 1024
"""Maximum length of a container's log that is kept."""


class Pods:
    """The pods of one cluster."""

    def __init__(self, api: KubernetesApi) -> None:
        self._api = api

    async def get(self, namespace: str, name: str) -> Pod | None:
        """Return the pod, or None.

        Raises:
            ApiError: the request failed.
        """
        try:
            return await self._api.request("GET", _path(namespace, name))
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    async def create(self, namespace: str, pod: Pod) -> Pod:
        """Create the pod.

        A field that the server does not have is an error: the server would drop the field without a message.

        Raises:
            ApiError: the server refuses the pod; with status 409, the name is taken.
        """
        path = f"/api/v1/namespaces/{_segment(namespace)}/pods"
        return await self._api.request("POST", path, parameters={"fieldValidation": "Strict"}, body=pod)

    async def delete(self, namespace: str, name: str, uid: str, grace_seconds: float | None = None) -> bool:
        """Delete this very pod, and no other of its name; return False if it does not exist.

        Raises:
            ApiError: the request was refused.
        """
        body: Pod = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": uid}}
        if grace_seconds is not None:
            body["gracePeriodSeconds"] = max(0, round(grace_seconds))
        try:
            await self._api.request("DELETE", _path(namespace, name), body=body)
        except ApiError as error:
            if error.status in (404, 409):  # gone, or another has its name now
                return False
            raise
        return True

    async def log(self, namespace: str, name: str, container: str) -> bytes:
        """Return the output of a container, up to `LOG_BYTES`.

        Raises:
            ApiError: there is no output, or the node does not answer.
        """
        parameters = {"container": container, "limitBytes": str(LOG_BYTES)}
        return await self._api.text(f"{_path(namespace, name)}/log", parameters=parameters)

    def follow_log(self, namespace: str, name: str, container: str) -> AsyncIterator[bytes]:
        """Iterate over the output of a container from its beginning to its end, up to `LOG_BYTES`.

        The first part is empty and means that the node has answered.

        Raises:
            ApiError: as `log`.
        """
        parameters = {"container": container, "limitBytes": str(LOG_BYTES), "follow": "true"}
        return self._api.stream(f"{_path(namespace, name)}/log", parameters)

    async def events(self, namespace: str, uid: str) -> list[tuple[str, str]]:
        """Return reasons and messages of the warnings about a pod, the newest last.

        Raises:
            ApiError: events cannot be read.
        """
        parameters = {"fieldSelector": f"involvedObject.uid={uid},type=Warning", "limit": "50"}
        found = await self._api.request("GET", f"/api/v1/namespaces/{_segment(namespace)}/events", parameters=parameters)
        ordered = sorted(found["items"], key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "")
        return [(str(event.get("reason") or ""), str(event.get("message") or "")) for event in ordered]

    async def template(self, namespace: str, name: str) -> Pod | None:
        """Return the template in a PodTemplate object of the namespace, or None.

        Raises:
            ApiError: it cannot be read.
        """
        try:
            found = await self._api.request("GET", f"/api/v1/namespaces/{_segment(namespace)}/podtemplates/{_segment(name)}")
        except ApiError as error:
            if error.status == 404:
                return None
            raise
        template: Pod = found["template"]
        return template


def _segment(name: str) -> str:
    """Return a name as one segment of a path. A name with a slash, such as ``../other``, must not lead to another object."""
    return quote(name, safe="")


def _path(namespace: str, name: str) -> str:
    return f"/api/v1/namespaces/{_segment(namespace)}/pods/{_segment(name)}"


class Templates:
    """Cache of named PodTemplates. An entry is read again after a minute."""

    SECONDS = 60.0

    def __init__(self, pods: Pods) -> None:
        self._pods = pods
        self._known: dict[tuple[str, str], tuple[float, Pod | None]] = {}

    async def get(self, namespace: str, name: str) -> Pod | None:
        """Return the template, or None.

        Raises:
            ApiError: as `Pods.template`.
        """
        now = asyncio.get_running_loop().time()
        known = self._known.get((namespace, name))
        if known is None or now - known[0] > self.SECONDS:
            known = (now, await self._pods.template(namespace, name))
            self._known[namespace, name] = known
        return known[1]
