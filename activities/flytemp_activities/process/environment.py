"""Environment of a task's process, from an allow-list, so that a task does not get the credentials of the worker.

A task gets the worker's ``PATH, HOME, LANG, LC_*, TZ, TMPDIR``, the variables in `ProcessOptions.pass_environment`, the secrets
that it requests, and its own ``environment``. A later source replaces an earlier one.

A secret ``Secret(group, key)`` is the worker's variable ``_FSEC_<GROUP>_<KEY>`` in upper case, with a version
``_FSEC_<GROUP>_<VERSION>_<KEY>``. The task gets it under that name, and under ``env_var`` if the request has one. A request
without a
key has no effect: the variables of a group cannot be distinguished from those of another group whose name begins alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flytemp.runtime.invocation import Invocation
from flytemp.spec.models import SecretRequest
from flytemp_activities.process.guard import MARKER

SECRET_PREFIX = "_FSEC_"
_ALWAYS = ("PATH", "HOME", "LANG", "TZ", "TMPDIR")
_ALWAYS_PREFIX = "LC_"


def base_environment(worker: Mapping[str, str], passed: Sequence[str]) -> dict[str, str]:
    """Return the part of the worker's environment that every task gets."""
    names = {*_ALWAYS, *passed}
    return {name: value for name, value in worker.items() if name in names or name.startswith(_ALWAYS_PREFIX)}


def task_environment(invocation: Invocation, worker: Mapping[str, str], passed: Sequence[str]) -> dict[str, str]:
    """Return the environment of the task's process without the guard's marker."""
    settings = invocation.task.settings
    environment = base_environment(worker, passed)
    for request in settings.secrets:
        environment.update(_secret(request, worker))
    environment.update(settings.environment)
    environment.update(invocation.environment)
    environment.pop(MARKER, None)
    return environment


def _secret(request: SecretRequest, worker: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of one request. A missing secret is an error only when the task reads it."""
    if request.key is None:
        return {}
    parts = [part for part in (request.group, request.group_version, request.key) if part]
    name = (SECRET_PREFIX + "_".join(parts)).upper()
    if name not in worker:
        return {}
    return {name: worker[name], request.env_var or name: worker[name]}
