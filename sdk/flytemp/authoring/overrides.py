"""Overrides of a task's settings: for one call (`with_overrides`), and for the calls of a map (`TaskMetadata`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any

from flytemp.authoring.binding import contains_promise
from flytemp.authoring.cache import cache_spec
from flytemp.authoring.errors import OverrideError, SettingsError
from flytemp.authoring.pod import pod_template_spec
from flytemp.authoring.quantities import amount
from flytemp.authoring.resources import Resources, resource_spec, shared_memory_spec
from flytemp.authoring.retry import RetryStrategy, Timeout, retries_spec, timeout_specs
from flytemp.authoring.settings import accelerator_spec, flag, image, pool
from flytemp.errors import Location, NotSupported
from flytemp.names import slug
from flytemp.spec.models import ResourceAmounts, ResourceSpec, TaskSettings

NAMES = frozenset({"node_name", "name", "aliases"})
SETTINGS = frozenset(
    {
        "requests",
        "limits",
        "resources",
        "timeout",
        "retries",
        "interruptible",
        "container_image",
        "accelerator",
        "cache",
        "cache_version",
        "cache_serialize",
        "shared_memory",
        "pod_template",
        "pool",
    }
)
_UNSUPPORTED = {
    "task_config": "task_config is not supported: there are no task plug-ins yet",
}


@dataclass(frozen=True)
class TaskMetadata:
    """Settings of the calls of a map. A field that is None keeps the task's setting."""

    cache: bool | None = None
    cache_serialize: bool | None = None
    cache_version: str | None = None
    interruptible: bool | None = None
    retries: int | RetryStrategy | None = None
    timeout: float | int | timedelta | Timeout | None = None


_METADATA_FIELDS = frozenset(field.name for field in fields(TaskMetadata))


def metadata_overrides(metadata: TaskMetadata | Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the overridden settings, by their names in `with_overrides`.

    Raises:
        SettingsError: ``metadata`` is neither a `TaskMetadata` nor a mapping of its fields.
    """
    if metadata is None:
        return {}
    given = vars(metadata) if isinstance(metadata, TaskMetadata) else metadata
    if not isinstance(given, Mapping) or given.keys() - _METADATA_FIELDS:
        raise SettingsError(
            f"metadata must be a TaskMetadata, not {metadata!r}", hint=f"it has {', '.join(sorted(_METADATA_FIELDS))}"
        )
    return {name: value for name, value in given.items() if value is not None}


def check_overrides(args: tuple[Any, ...], overrides: Mapping[str, Any], location: Location) -> None:
    """Check the arguments of `with_overrides`.

    Raises:
        OverrideError: (an ``AssertionError``) a value is a promise.
        SettingsError: a name is unknown, or an argument is positional.
        NotSupported: flytekit has the override, but this version of flytemp does not.
    """
    if args:
        raise SettingsError("with_overrides takes keyword arguments only", location=location)
    for name, value in overrides.items():
        if contains_promise(value):
            raise OverrideError(
                f"with_overrides({name}=…) received a value that does not exist before the workflow runs",
                hint="overrides must be known when the program is registered",
                location=location,
            )
        if name in _UNSUPPORTED and value is not None:
            raise NotSupported(f"with_overrides: {_UNSUPPORTED[name]}", location=location)
        if name not in NAMES | SETTINGS | set(_UNSUPPORTED):
            raise SettingsError(
                f"with_overrides has no argument '{name}'",
                hint=f"it has {', '.join(sorted(NAMES | SETTINGS))}",
                location=location,
            )


def node_id(name: object, location: Location) -> str:
    """Return the id for ``node_name``: lower-case letters, digits and "-".

    Raises:
        SettingsError: ``name`` has no letter and no digit.
    """
    if not isinstance(name, str) or not any(character.isalnum() and character.isascii() for character in name):
        raise SettingsError(f"node_name must be text with a letter or digit, not {name!r}", location=location)
    return slug(name, 63)


def aliases_of(aliases: object, location: Location) -> dict[str, str]:
    """Return additional names of outputs, such as ``{"o0": "total"}``.

    Raises:
        SettingsError: ``aliases`` is not a dict of texts.
    """
    if aliases is None:
        return {}
    if not isinstance(aliases, Mapping) or not all(isinstance(text, str) for pair in aliases.items() for text in pair):
        raise SettingsError(
            f"aliases must be a dict of output names and their aliases, not {aliases!r}",
            hint='aliases={"o0": "model"}',
            location=location,
        )
    return dict(aliases)


def overridden(settings: TaskSettings, overrides: Mapping[str, Any]) -> TaskSettings:
    """Return ``settings`` with the given overrides.

    Raises:
        SettingsError: a value is invalid.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    updates: dict[str, Any] = {}
    if given.keys() & {"requests", "limits", "resources"}:
        updates["resources"] = _resources(settings.resources, given)
    if "timeout" in given:
        updates |= timeout_specs(given["timeout"])
    if "retries" in given:
        updates["retries"] = retries_spec(given["retries"])
    if "interruptible" in given:
        updates["interruptible"] = flag(given["interruptible"], "interruptible")
    if "container_image" in given:
        updates["container_image"] = image(given["container_image"])
    if "accelerator" in given:
        updates["accelerator"] = accelerator_spec(given["accelerator"])
    if "shared_memory" in given:
        updates["shared_memory"] = shared_memory_spec(given["shared_memory"])
    if "pool" in given:
        updates["pool"] = pool(given["pool"])
    if "pod_template" in given:
        updates["pod_template"] = pod_template_spec(given["pod_template"])
    if given.keys() & {"cache", "cache_version", "cache_serialize"}:
        updates["cache"] = cache_spec(
            given.get("cache", settings.cache is not None),
            given.get("cache_version"),
            given.get("cache_serialize"),
            None,
            override=True,
        )
    return settings.model_copy(update=updates)


def _resources(before: ResourceSpec, given: Mapping[str, Any]) -> ResourceSpec:
    resources: Resources | None = given.get("resources")
    after = resource_spec(resources, given.get("requests"), given.get("limits"))
    if resources is not None or {"requests", "limits"} <= given.keys():
        return after
    if "requests" in given:
        return ResourceSpec(requests=after.requests, limits=before.limits)
    return ResourceSpec(requests=_at_most(before.requests, after.limits), limits=after.limits)


def _at_most(requests: ResourceAmounts, limits: ResourceAmounts) -> ResourceAmounts:
    """Return the task's requests, lowered to the new limits: Kubernetes rejects a request above its limit."""
    lowered = {
        name: limit
        for name, limit in limits.model_dump(exclude_none=True).items()
        if (request := getattr(requests, name)) is not None and amount(request) > amount(limit)
    }
    return requests.model_copy(update=lowered)
