"""`with_overrides`: the settings of one call, replaced."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flytemp.authoring.binding import contains_promise
from flytemp.authoring.cache import cache_spec
from flytemp.authoring.errors import OverrideError, SettingsError
from flytemp.authoring.pod import pod_template_spec
from flytemp.authoring.quantities import amount
from flytemp.authoring.resources import Resources, resource_spec, shared_memory_spec
from flytemp.authoring.retry import retries_spec, timeout_specs
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


def check_overrides(args: tuple[Any, ...], overrides: Mapping[str, Any], location: Location) -> None:
    """Refuse what no call can override.

    Raises:
        OverrideError: (an ``AssertionError``) for a promise among the values.
        SettingsError: for an unknown name.
        NotSupported: for what flytekit has and this version does not.
    """
    if args:
        raise SettingsError("with_overrides takes keyword arguments only", location=location)
    for name, value in overrides.items():
        if contains_promise(value):
            raise OverrideError(
                f"with_overrides({name}=…) is given a value that does not exist yet",
                hint="overrides are known when the program is registered",
                location=location,
            )
        if name in _UNSUPPORTED and value is not None:
            raise NotSupported(f"with_overrides: {_UNSUPPORTED[name]}", location=location)
        if name not in NAMES | SETTINGS | set(_UNSUPPORTED):
            raise SettingsError(
                f"with_overrides has no '{name}'", hint=f"it has {', '.join(sorted(NAMES | SETTINGS))}", location=location
            )


def node_id(name: object, location: Location) -> str:
    """The id for ``node_name``: lower case, digits and "-"."""
    if not isinstance(name, str) or not any(character.isalnum() and character.isascii() for character in name):
        raise SettingsError(f"node_name must be text with a letter or digit, not {name!r}", location=location)
    return slug(name, 63)


def aliases_of(aliases: object, location: Location) -> dict[str, str]:
    """Further names of outputs: ``{"o0": "total"}``.

    Raises:
        SettingsError: for anything but texts.
    """
    if aliases is None:
        return {}
    if not isinstance(aliases, Mapping) or not all(isinstance(text, str) for pair in aliases.items() for text in pair):
        raise SettingsError(
            f"aliases must be a dict of outputs' names and their aliases, not {aliases!r}",
            hint='aliases={"o0": "model"}',
            location=location,
        )
    return dict(aliases)


def overridden(settings: TaskSettings, overrides: Mapping[str, Any]) -> TaskSettings:
    """``settings`` with everything that ``overrides`` names replaced.

    Raises:
        SettingsError: for a malformed value.
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
    """The task's own requests, lowered to the call's new limits: a pod that asks for more than its limit cannot be."""
    lowered = {
        name: limit
        for name, limit in limits.model_dump(exclude_none=True).items()
        if (request := getattr(requests, name)) is not None and amount(request) > amount(limit)
    }
    return requests.model_copy(update=lowered)
