"""The environment of a task's process: an allow-list, so that no credential of the worker gets there unasked.

A task gets the worker's ``PATH, HOME, LANG, LC_*, TZ, TMPDIR``, the variables that the operator names
(`ProcessOptions.pass_environment`), the secrets that the task requests, and its own ``environment``; later ones win.

A secret ``Secret(group, key)`` is the worker's variable ``_FSEC_<GROUP>_<KEY>`` (upper case; with a version
``_FSEC_<GROUP>_<VERSION>_<KEY>``), and is handed on under that name, and under ``env_var`` where the request has
one. A request without a key hands on nothing: by name alone, one group's variables cannot be told from those of
another whose name begins alike.
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
    """What every task gets of the ``worker``'s environment."""
    names = {*_ALWAYS, *passed}
    return {name: value for name, value in worker.items() if name in names or name.startswith(_ALWAYS_PREFIX)}


def task_environment(invocation: Invocation, worker: Mapping[str, str], passed: Sequence[str]) -> dict[str, str]:
    """The whole environment of the task's process, but for the guard's marker."""
    settings = invocation.task.settings
    environment = base_environment(worker, passed)
    for request in settings.secrets:
        environment.update(_secret(request, worker))
    environment.update(settings.environment)
    environment.update(invocation.environment)
    environment.pop(MARKER, None)
    return environment


def _secret(request: SecretRequest, worker: Mapping[str, str]) -> dict[str, str]:
    """The variables of one request. A missing one is no error yet: it is one when the task asks for its value."""
    if request.key is None:
        return {}
    parts = [part for part in (request.group, request.group_version, request.key) if part]
    name = (SECRET_PREFIX + "_".join(parts)).upper()
    if name not in worker:
        return {}
    return {name: worker[name], request.env_var or name: worker[name]}
