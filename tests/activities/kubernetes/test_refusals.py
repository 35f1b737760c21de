"""Outcomes of pods that the API server refuses."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from flytemp_activities.kubernetes.api import ApiError
from flytemp_activities.kubernetes.creation import Creation, NotCreated
from flytemp_activities.kubernetes.manifest import PodManifest
from tests.activities.kubernetes.test_manifest import invocation


class Refusing:
    """Pods of a server that refuses every creation."""

    def __init__(self, error: ApiError) -> None:
        self._error = error

    async def create(self, namespace: str, pod: Any) -> Any:
        raise self._error


@pytest.mark.parametrize(
    ("status", "reason", "message", "blame"),
    [
        (422, "Invalid", "spec.containers[0].image: Required value", ("USER", "InvalidPod")),
        (500, "InternalError", "etcdserver: request is too large", ("USER", "InvalidPod")),
        (413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728", ("USER", "InvalidPod")),
        (403, "Forbidden", "violates PodSecurity restricted", ("USER", "InvalidPod")),
        (403, "Forbidden", 'User "w" cannot create resource "pods" in API group ""', ("SYSTEM", "ApiError")),
        (403, "Forbidden", "unable to create new content in namespace t because it is being terminated", ("SYSTEM", "ApiError")),
        (403, "Forbidden", 'error looking up service account t/w: serviceaccount "w" not found', ("SYSTEM", "ApiError")),
        (404, "NotFound", 'namespaces "t" not found', ("SYSTEM", "ApiError")),
        (401, "Unauthorized", "Unauthorized", ("SYSTEM", "ApiError")),
    ],
)
async def test_outcome_of_a_refused_creation(status: int, reason: str, message: str, blame: tuple[str, str]) -> None:
    pods: Any = Refusing(ApiError(status, reason, message))
    creation = Creation(pods, PodManifest({}, "primary", "t", ()), invocation(), asyncio.Event())
    with pytest.raises(NotCreated) as caught:
        await creation.create(lambda reason, message: None)
    assert (caught.value.error.kind, caught.value.error.code) == blame
    assert message in caught.value.error.message
