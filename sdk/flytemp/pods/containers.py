"""Containers of a pod spec, and the security context that the policy gives to each of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

PodJson = dict[str, Any]
"""A pod spec or a part of one, as JSON."""

CONTAINER_FIELDS = ("initContainers", "containers", "ephemeralContainers")


def all_containers(spec: Mapping[str, Any]) -> Iterator[PodJson]:
    """Yield each container of a pod spec: init containers with sidecars, containers, and ephemeral containers."""
    for field in CONTAINER_FIELDS:
        yield from spec.get(field) or ()


def add_security_context(spec: Mapping[str, Any], default: Mapping[str, Any]) -> None:
    """Add the fields of ``default`` to the security context of each container that does not set them."""
    for container in all_containers(spec):
        container["securityContext"] = {**default, **(container.get("securityContext") or {})}
