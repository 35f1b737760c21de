"""Options of launch plans, checked and converted to the options of their executions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from flytemp.authoring.definition_site import DefinitionSite
from flytemp.authoring.documentation import Documentation
from flytemp.authoring.errors import SettingsError
from flytemp.authoring.execution_options import (
    Annotations,
    Labels,
    RawOutputDataConfig,
    SecurityContext,
    service_account,
    values_of,
)
from flytemp.authoring.retry import Seconds, limit, shown
from flytemp.authoring.settings import flag
from flytemp.errors import NotSupported
from flytemp.records.launch import LaunchOptions
from flytemp.spec.bounds import MAX_COUNT

_UNSUPPORTED = {
    "schedule": "start it from a Temporal Schedule, or from cron with `flytemp launch`",
    "trigger": "start it from a Temporal Schedule, or from cron with `flytemp launch`",
    "notifications": "watch the execution, or notify from a last task",
    "auth_role": "use security_context=SecurityContext(run_as=Identity(k8s_service_account=…))",
    "concurrency": "launch with an execution name: the same name runs once",
    "auto_activate": "launch plans without a schedule need no activation",
}


class LaunchPlanOptions(TypedDict, total=False):
    """The keyword arguments of `LaunchPlan.create` and `LaunchPlan.get_or_create` besides inputs."""

    labels: Labels | Mapping[str, str] | None
    annotations: Annotations | Mapping[str, str] | None
    raw_output_data_config: RawOutputDataConfig | None
    max_parallelism: int | None
    timeout: Seconds | None
    interruptible: bool | None
    overwrite_cache: bool | None
    docs: Documentation | None
    schedule: Any
    trigger: Any
    notifications: Any
    security_context: SecurityContext | None
    auth_role: Any
    concurrency: Any
    auto_activate: bool


def checked_options(name: object, options: LaunchPlanOptions, site: DefinitionSite) -> LaunchOptions:
    """Return the options of a launch plan's executions for the spec.

    Args:
        name: the name of the launch plan.
        options: the keyword arguments.
        site: the line that creates the launch plan.

    Raises:
        SettingsError: (a ``ValueError``) the name is not a text, or an option is invalid.
        NotSupported: flytekit has the option, but this version of flytemp does not.
    """
    if not isinstance(name, str) or not name:
        raise SettingsError(f"a launch plan's name must be text, not {name!r}", location=site.location)
    unknown = options.keys() - LaunchPlanOptions.__annotations__.keys()
    if unknown:
        raise SettingsError(f"unknown options of a launch plan: {', '.join(sorted(unknown))}", location=site.location)
    for option, instead in _UNSUPPORTED.items():
        if options.get(option):
            raise NotSupported(f"launch plan '{name}': {option}= is not supported", hint=instead, location=site.location)
    parallelism = options.get("max_parallelism")
    is_whole = isinstance(parallelism, int) and not isinstance(parallelism, bool)
    if parallelism is not None and not (is_whole and 0 <= parallelism <= MAX_COUNT):
        message = f"max_parallelism must be a whole number from 0 (no limit) to {MAX_COUNT}, not {shown(parallelism)}"
        raise SettingsError(message, location=site.location)
    raw = options.get("raw_output_data_config")
    return LaunchOptions(
        labels=values_of(options.get("labels"), "labels"),
        annotations=values_of(options.get("annotations"), "annotations"),
        raw_data_prefix=None if raw is None else raw.output_location_prefix,
        max_parallelism=parallelism,
        timeout_seconds=limit(options.get("timeout"), "timeout of a launch plan"),
        interruptible=flag(options.get("interruptible"), "interruptible"),
        overwrite_cache=flag(options.get("overwrite_cache"), "overwrite_cache"),
        service_account=service_account(options.get("security_context")),
    )
