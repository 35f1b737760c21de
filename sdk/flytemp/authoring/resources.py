"""What a task asks of the machine: resources, shared memory, secrets."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import Enum
from typing import Literal, TypeAlias

from flytemp.authoring.errors import SettingsError
from flytemp.authoring.quantities import quantity
from flytemp.spec.models import ResourceAmounts, ResourceSpec, SecretRequest

Amount: TypeAlias = int | float | str
"""A quantity: ``2``, ``0.5``, ``"500m"``, ``"2Gi"``. A plain number of memory is in bytes."""

AmountOrRange: TypeAlias = Amount | tuple[Amount, Amount] | list[Amount] | None

_SPEC_NAMES = {"cpu": "cpu", "mem": "memory", "gpu": "gpu", "ephemeral_storage": "ephemeral_storage"}


@dataclass(frozen=True)
class Resources:
    """Resources of a task. A pair is (request, limit); a single value of ``resources=`` is both.

    Raises:
        SettingsError: (a ``ValueError``) for what is no quantity, and for a pair that is not of length 2.
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
                    text = quantity(part, field.name)
                    if field.name == "gpu" and not text.isdigit():
                        raise SettingsError(f"gpu {part!r} must be a whole number")


def resource_spec(resources: Resources | None, requests: Resources | None, limits: Resources | None) -> ResourceSpec:
    """The requests and limits that a task or node states.

    Raises:
        SettingsError: when ``resources`` comes with one of the others, or those hold pairs.
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
    """``True``: as much as the task's memory; a quantity: so much.

    Raises:
        SettingsError: for anything else.
    """
    if value is None or value is False:
        return None
    return True if value is True else quantity(value, "shared_memory")


class MountType(Enum):
    """How a secret reaches the task."""

    ANY = "any"
    ENV_VAR = "env"
    FILE = "file"


@dataclass(frozen=True)
class Secret:
    """The name of a secret that a task needs; read it with ``current_context().secrets.get(group, key)``."""

    group: str | None = None
    key: str | None = None
    group_version: str | None = None
    mount_requirement: MountType = MountType.ANY
    env_var: str | None = None

    MountType = MountType

    def __post_init__(self) -> None:
        if not self.group and not self.key:
            raise SettingsError("a Secret needs a group or a key", hint="Secret(group='db', key='password')")

    def request(self) -> SecretRequest:
        return SecretRequest(
            group=self.group,
            key=self.key,
            group_version=self.group_version,
            mount=MountType(self.mount_requirement).value,
            env_var=self.env_var,
        )


def secret_specs(secrets: object) -> tuple[SecretRequest, ...]:
    """The requests for a list of `Secret`.

    Raises:
        SettingsError: when it is no list of secrets.
    """
    if secrets is None:
        return ()
    if not isinstance(secrets, list | tuple) or not all(isinstance(secret, Secret) for secret in secrets):
        raise SettingsError(
            f"secret_requests must be a list of Secret, not {secrets!r}",
            hint="secret_requests=[Secret(group='db', key='password')]",
        )
    return tuple(secret.request() for secret in secrets)
