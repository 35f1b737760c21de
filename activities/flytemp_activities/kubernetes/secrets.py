"""Secrets of a task, by reference: Kubernetes puts them into the container, and flytemp never reads a value.

``Secret(group, key)`` is the key ``key`` of the Kubernetes secret ``group`` in the pod's namespace (with a version,
``group-version``). Its value is in the variable ``_FSEC_<GROUP>_<VERSION>_<KEY>``, and in ``env_var`` if that is given; with
``mount_requirement=FILE`` as the file ``/etc/secrets/<group>/<version>/<key>``. A request without a key is for the whole
secret, each of its keys as a file. A pod whose secret does not exist does not start, and its task fails with the name of the
secret.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Any

from flytemp.errors import InputError
from flytemp.names import slug
from flytemp.spec.models import SecretRequest

Json = dict[str, Any]

FOLDER = "/etc/secrets"
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_KEY = re.compile(r"[A-Za-z0-9._-]{1,253}")


def secret_parts(requests: Sequence[SecretRequest]) -> tuple[list[Json], list[Json], list[Json]]:
    """Return the variables, volumes and mounts of the task's container.

    Raises:
        InputError: the name is not valid for a Kubernetes secret.
    """
    variables: list[Json] = []
    files: dict[str, list[SecretRequest]] = {}
    for request in requests:
        name = _secret_name(request)
        if request.mount == "file" or request.key is None:
            files.setdefault(name, []).append(request)
        else:
            variables += _variables(request, name)
    parts = [_files(name, wanted) for name, wanted in files.items()]
    return variables, [volume for volume, _ in parts], [mount for _, mount in parts]


def _secret_name(request: SecretRequest) -> str:
    group = request.group or ""
    name = f"{group}-{request.group_version}" if request.group_version else group
    if not _NAME.fullmatch(name):
        hint = "name it as Kubernetes does: lower-case letters, digits, '-' and '.'; Secret(group='db', key='password')"
        raise InputError(f"the secret group {name!r} is not a valid name of a Kubernetes secret", hint=hint)
    if request.key is not None and not _KEY.fullmatch(request.key):
        hint = "a key has letters, digits, '-', '_' and '.'"
        raise InputError(f"{request.key!r} is not a valid key of a Kubernetes secret", hint=hint)
    return name


def _variables(request: SecretRequest, name: str) -> list[Json]:
    parts = [part for part in (request.group, request.group_version, request.key) if part]
    variable = "_FSEC_" + re.sub(r"[^A-Za-z0-9_]", "_", "_".join(parts)).upper()
    source = {"secretKeyRef": {"name": name, "key": request.key, "optional": False}}
    names = dict.fromkeys((("_FSEC_" + "_".join(parts)).upper(), variable, request.env_var or variable))
    return [{"name": one, "valueFrom": source} for one in names]


def _files(name: str, wanted: Sequence[SecretRequest]) -> tuple[Json, Json]:
    """Return volume and mount of a secret, with the requested keys, or with all keys if one request has no key."""
    folder = "/".join(part for part in (FOLDER, wanted[0].group, wanted[0].group_version) if part)
    volume = f"secret-{slug(name, 40)}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    source: Json = {"secretName": name, "optional": False, "defaultMode": 0o444}
    keys = [request.key for request in wanted]
    if None not in keys:
        source["items"] = [{"key": key, "path": key} for key in dict.fromkeys(keys)]
    return {"name": volume, "secret": source}, {"name": volume, "mountPath": folder, "readOnly": True}
