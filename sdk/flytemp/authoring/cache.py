"""Cache settings of tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flytemp.authoring.errors import SettingsError
from flytemp.errors import NotSupported
from flytemp.spec.models import CacheSpec


@dataclass(frozen=True)
class Cache:
    """Cache settings of a task: results of the same version may be reused for equal inputs.

    Attributes:
        version: the version of the task's results.
        serialize: run only one of several tasks with equal inputs at a time.
        ignored_inputs: inputs that may differ.
        salt: a text that separates the results from those of other tasks.
        policies: not supported.

    Raises:
        SettingsError: the version is missing.
        NotSupported: a policy is given.
    """

    version: str | None = None
    serialize: bool = False
    ignored_inputs: tuple[str, ...] | str = ()
    salt: str = ""
    policies: Sequence[object] | object | None = None

    def __post_init__(self) -> None:
        if self.policies:
            raise NotSupported("cache policies are not supported", hint="give the version: Cache(version='1.0')")
        if not self.version:
            raise SettingsError(
                "If version is not defined then at least one cache policy needs to be set", hint="Cache(version='1.0')"
            )

    def spec(self) -> CacheSpec:
        """Return the settings for the spec."""
        ignored = (self.ignored_inputs,) if isinstance(self.ignored_inputs, str) else tuple(self.ignored_inputs)
        return CacheSpec(version=str(self.version), serialize=self.serialize, ignored_inputs=ignored, salt=self.salt)


def cache_spec(
    cache: object, version: str | None, serialize: bool | None, ignored: Sequence[str] | None, *, override: bool = False
) -> CacheSpec | None:
    """Return the cache settings from ``cache=`` and flytekit's older ``cache_*`` arguments.

    Args:
        cache: True, False or a `Cache`.
        version: ``cache_version``.
        serialize: ``cache_serialize``.
        ignored: ``cache_ignore_input_vars``.
        override: the arguments are those of `with_overrides`.

    Returns:
        The settings; None without ``cache``. The older arguments have no effect then; see `unused_cache_options`.

    Raises:
        SettingsError: the arguments contradict each other, or the version is missing.
    """
    if isinstance(cache, Cache):
        if version or serialize or ignored:
            raise SettingsError("cache_version, cache_serialize and cache_ignore_input_vars belong in the Cache object")
        return cache.spec()
    if not isinstance(cache, bool):
        raise SettingsError(f"cache must be True, False or a Cache, not {cache!r}")
    if not cache:
        return None
    if not version and override:
        raise SettingsError("must specify cache version when overriding", hint="cache=Cache(version='1.0')")
    return Cache(version, bool(serialize), tuple(ignored or ())).spec()


_OLDER_OPTIONS = ("cache_version", "cache_serialize", "cache_ignore_input_vars")


def unused_cache_options(options: Mapping[str, Any], *, is_cached: bool = False) -> list[str]:
    """Return one warning if there are ``cache_*`` options without ``cache``, as in programs for older versions of flytekit.

    Args:
        options: the options of a task, a call or a map.
        is_cached: the task is cached if the options do not contain ``cache``.
    """
    given = [f"{name}={options[name]!r}" for name in _OLDER_OPTIONS if options.get(name)]
    if not given or options.get("cache", is_cached) is not False:
        return []
    return [f"{', '.join(given)} has no effect, because caching is not enabled; add cache=True"]
