"""Names of other objects in a pod spec: secrets, service accounts, priority classes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flytemp.pods.containers import PodJson, all_containers

_REFERENCES = ("secretRef", "secretKeyRef", "nodePublishSecretRef", "secret")
"""Fields whose object names a secret, by ``name`` or ``secretName``."""


def secret_names(spec: PodJson) -> Iterator[str]:
    """Yield the name of each secret whose content reaches a container: in variables, in files, or through a volume's driver.

    Secrets of volumes are in fields of many types of volumes, so volumes and containers are searched completely.
    """
    yield from _in("volumes", spec.get("volumes") or [])
    yield from _in("containers", list(all_containers(spec)))


def _in(field: str, value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if field in _REFERENCES:
            yield from _texts(value.get("name"), value.get("secretName"))
        for inner, item in value.items():
            if inner == "secretName" and field not in _REFERENCES:
                yield from _texts(item)
            yield from _in(inner, item)
    elif isinstance(value, list):
        for item in value:
            yield from _in(field, item)


def pull_secrets(spec: PodJson) -> Iterator[str]:
    """Yield the names of the secrets for pulling images."""
    for one in spec.get("imagePullSecrets") or ():
        yield from _texts(one.get("name"))


def service_accounts(spec: PodJson) -> Iterator[str]:
    """Yield the service account of the pod, also from the deprecated field ``serviceAccount``."""
    yield from dict.fromkeys(_texts(spec.get("serviceAccountName"), spec.get("serviceAccount")))


def priority_classes(spec: PodJson) -> Iterator[str]:
    """Yield the priority class of the pod. A number without a class is named by its value."""
    name, number = spec.get("priorityClassName"), spec.get("priority")
    if name:
        yield str(name)
    elif number:
        yield str(number)


def _texts(*names: Any) -> Iterator[str]:
    yield from (str(name) for name in names if name)
