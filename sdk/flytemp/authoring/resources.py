"""Resources, shared memory and secrets of tasks."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import Enum
from typing import Literal, TypeAlias

from flytemp.authoring.errors import SettingsError
from flytemp.authoring.quantities import byte_quantity, quantity
from flytemp.pods.shape import is_unicode
from flytemp.spec.models import ResourceAmounts, ResourceSpec, SecretRequest
from flytemp.spec.variables import variable_name_problem

Amount: TypeAlias = int | float | str
"""Kubernetes quantity: ``2``, ``0.5``, ``"500m"``, ``"2Gi"``. Memory without a suffix is in bytes."""

AmountOrRange: TypeAlias = Amount | tuple[Amount, Amount] | list[Amount] | None

_QUANTITIES = {"cpu": quantity, "mem": byte_quantity, "gpu": quantity, "ephemeral_storage": byte_quantity}
_SPEC_NAMES = {"cpu": "cpu", "mem": "memory", "gpu": "gpu", "ephemeral_storage": "ephemeral_storage"}


@dataclass(frozen=True)
class Resources:
    """Resources of a task. A pair is (request, limit); a single value in ``resources=`` is both.

    Attributes:
        cpu: CPU cores.
        mem: memory in bytes, without fractions of a byte.
        gpu: a whole number of GPUs.
        ephemeral_storage: local storage in bytes.

    Raises:
        SettingsError: (a ``ValueError``) a value is neither a quantity nor a pair of quantities.
    """

    cpu: AmountOrRange = None
    mem: AmountOrRange = None
    gpu: AmountOrRange = None
    ephemeral_storage: AmountOrRange = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, tuple | list) and len(value) != 2:
                raise SettingsError(f"{value!r} must be of length 2", hint=f"{field.name} is one value or (request, limit)")
            for part in value if isinstance(value, tuple | list) else (value,):
                if part is not None:
                    text = _QUANTITIES[field.name](part, field.name)
                    if field.name == "gpu" and not text.isdigit():
                        raise SettingsError(f"gpu {part!r} must be a whole number")


def resource_spec(resources: Resources | None, requests: Resources | None, limits: Resources | None) -> ResourceSpec:
    """Return the requests and limits of a task or node for the spec.

    Raises:
        SettingsError: ``resources`` is combined with ``requests`` or ``limits``, or these contain pairs.
    """
    for name, value in (("resources", resources), ("requests", requests), ("limits", limits)):
        if value is not None and not isinstance(value, Resources):
            raise SettingsError(f"{name} must be a Resources, not {value!r}", hint=f"{name}=Resources(cpu='1', mem='500Mi')")
    if resources is None:
        return ResourceSpec(requests=_single(requests, "requests"), limits=_single(limits, "limits"))
    if requests is not None or limits is not None:
        raise SettingsError("`resources` can not be used together with the `limits` or `requests`", hint="use resources= alone")
    return ResourceSpec(requests=_side(resources, 0), limits=_side(resources, 1))


def _single(resources: Resources | None, what: str) -> ResourceAmounts:
    if resources is None:
        return ResourceAmounts()
    for field in fields(resources):
        if isinstance(getattr(resources, field.name), tuple | list):
            raise SettingsError(f"{field.name} of {what} must be one value, not a pair", hint="a pair belongs in resources=")
    return _side(resources, 0)


def _side(resources: Resources, side: Literal[0, 1]) -> ResourceAmounts:
    texts: dict[str, str] = {}
    for name, spec_name in _SPEC_NAMES.items():
        value = getattr(resources, name)
        if isinstance(value, tuple | list):
            value = value[side]
        if value is not None:
            texts[spec_name] = quantity(value, name)
    return ResourceAmounts(**texts)


def shared_memory_spec(value: object) -> str | bool | None:
    """Return the shared memory for the spec: a quantity, True for as much as the task's memory, or None.

    Raises:
        SettingsError: ``value`` is something else.
    """
    if value is None or value is False:
        return None
    return True if value is True else byte_quantity(value, "shared_memory")


class MountType(Enum):
    """Form in which a task receives a secret."""

    ANY = "any"
    ENV_VAR = "env"
    FILE = "file"


@dataclass(frozen=True)
class Secret:
    """Request of a task for a secret. Read the secret with ``current_context().secrets.get(group, key)``.

    Attributes:
        group: the group of the secret.
        key: the key of the secret in its group.
        group_version: the version of the group.
        mount_requirement: the form in which the task receives the secret.
        env_var: the environment variable for the secret.

    Raises:
        SettingsError: neither a group nor a key is given, or a value is invalid.
    """

    group: str | None = None
    key: str | None = None
    group_version: str | None = None
    mount_requirement: MountType = MountType.ANY
    env_var: str | None = None

    MountType = MountType

    def __post_init__(self) -> None:
        if not self.group and not self.key:
            raise SettingsError("a Secret needs a group or a key", hint="Secret(group='db', key='password')")
        for name in ("group", "key", "group_version", "env_var"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, str) and is_unicode(value) and "\0" not in value):
                raise SettingsError(f"{name} of a Secret must be text, not {value!r}", hint="Secret(group='db', key='password')")
        if not isinstance(self.mount_requirement, MountType):
            hint = "use Secret.MountType.ANY, ENV_VAR or FILE"
            raise SettingsError(f"mount_requirement of a Secret must be a MountType, not {self.mount_requirement!r}", hint=hint)
        if self.env_var is not None and (wrong := variable_name_problem(self.env_var)) is not None:
            raise SettingsError(f"env_var of a Secret is invalid: {wrong}", hint="Secret(group='db', env_var='PGPASSWORD')")

    def request(self) -> SecretRequest:
        """Return the request for the spec."""
        return SecretRequest(
            group=self.group,
            key=self.key,
            group_version=self.group_version,
            mount=self.mount_requirement.value,
            env_var=self.env_var,
        )


def secret_specs(secrets: object) -> tuple[SecretRequest, ...]:
    """Return the requests of a list of `Secret` for the spec.

    Raises:
        SettingsError: ``secrets`` is not a list of `Secret`.
    """
    if secrets is None:
        return ()
    if not isinstance(secrets, list | tuple) or not all(isinstance(secret, Secret) for secret in secrets):
        raise SettingsError(
            f"secret_requests must be a list of Secret, not {secrets!r}",
            hint="secret_requests=[Secret(group='db', key='password')]",
        )
    return tuple(secret.request() for secret in secrets)
