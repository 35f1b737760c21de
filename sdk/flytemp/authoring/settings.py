"""Options of `@task`, checked and converted to the spec's `TaskSettings`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from enum import Enum
from typing import Any, TypedDict, cast, get_args

from flytemp.authoring.cache import Cache, cache_spec
from flytemp.authoring.documentation import Documentation
from flytemp.authoring.errors import SettingsError
from flytemp.authoring.image import ImageSpec
from flytemp.authoring.pod import PodTemplate, environment_map, pod_template_spec, text_map
from flytemp.authoring.resources import Resources, Secret, resource_spec, secret_specs, shared_memory_spec
from flytemp.authoring.retry import RetryStrategy, Timeout, retries_spec, timeout_specs
from flytemp.errors import NotSupported
from flytemp.extras.accelerators import BaseAccelerator
from flytemp.names import is_pool
from flytemp.pods.shape import is_unicode
from flytemp.spec.models import AcceleratorSpec, TaskSettings
from flytemp.spec.tasks import Reuse
from flytemp.suggest import suggest


class DeckField(Enum):
    """Part of a task's deck."""

    SOURCE_CODE = "Source Code"
    DEPENDENCIES = "Dependencies"
    TIMELINE = "Timeline"
    INPUT = "Input"
    OUTPUT = "Output"


class ExecutionBehavior(Enum):
    """Execution mode of a task's function. Only ``DEFAULT`` is supported."""

    DEFAULT = 1
    DYNAMIC = 2
    EAGER = 3


class TaskOptions(TypedDict, total=False):
    """Keyword arguments of `task`: those of flytekit, with additional types for ``retries`` and ``timeout``."""

    task_config: Any
    cache: bool | Cache
    cache_serialize: bool
    cache_version: str
    cache_ignore_input_vars: tuple[str, ...]
    retries: int | RetryStrategy
    interruptible: bool | None
    deprecated: str
    timeout: float | int | timedelta | Timeout | None
    container_image: str | None
    environment: Mapping[str, str] | None
    requests: Resources | None
    limits: Resources | None
    resources: Resources | None
    secret_requests: Sequence[Secret] | None
    execution_mode: ExecutionBehavior
    node_dependency_hints: Any
    task_resolver: Any
    docs: Documentation | None
    disable_deck: bool | None
    enable_deck: bool | None
    deck_fields: Sequence[DeckField | str] | None
    pod_template: PodTemplate | None
    pod_template_name: str | None
    accelerator: BaseAccelerator | None
    pickle_untyped: bool
    shared_memory: bool | str | None
    pool: str | None
    reuse: Reuse
    labels: Mapping[str, str] | None
    annotations: Mapping[str, str] | None


_OBJECT_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_KNOWN = frozenset(TaskOptions.__annotations__)


def task_settings(options: Mapping[str, Any]) -> TaskSettings:
    """Return the settings from a task's keyword arguments.

    Raises:
        SettingsError: (a ``ValueError``) an argument is unknown or invalid, or contradicts another one.
        NotSupported: flytekit has the argument, but this version of flytemp does not.
    """
    unknown = {name: value for name, value in options.items() if name not in _KNOWN}
    if unknown:
        raise SettingsError(
            f"Unrecognized argument(s) for task: {unknown.keys()}",
            hint=suggest(next(iter(unknown)), _KNOWN, "`help(flytemp.task)` lists the options"),
        )
    refuse_unsupported(options)
    given = cast(TaskOptions, options)
    return TaskSettings(
        retries=retries_spec(given.get("retries", 0)),
        **timeout_specs(given.get("timeout", 0)),
        interruptible=flag(given.get("interruptible"), "interruptible"),
        cache=cache_spec(
            given.get("cache", False),
            given.get("cache_version"),
            given.get("cache_serialize"),
            given.get("cache_ignore_input_vars"),
        ),
        container_image=image(given.get("container_image")),
        resources=resource_spec(given.get("resources"), given.get("requests"), given.get("limits")),
        environment=environment_map(given.get("environment")),
        secrets=secret_specs(given.get("secret_requests")),
        labels=text_map(given.get("labels"), "labels"),
        annotations=text_map(given.get("annotations"), "annotations"),
        pod_template=pod_template_spec(given.get("pod_template")),
        pod_template_name=object_name(given.get("pod_template_name"), "pod_template_name"),
        accelerator=accelerator_spec(given.get("accelerator")),
        shared_memory=shared_memory_spec(given.get("shared_memory")),
        pool=pool(given.get("pool")),
        reuse=reuse(given.get("reuse", "imports")),
        enable_deck=_deck(given),
        deck_fields=_deck_fields(given.get("deck_fields")),
        deprecated=text(given.get("deprecated"), "deprecated") or "",
    )


def refuse_unsupported(options: Mapping[str, Any]) -> None:
    """Check that no unsupported argument of flytekit's `task` is used.

    Raises:
        SettingsError: the argument applies to dynamic tasks only.
        NotSupported: this version of flytemp does not support the argument.
    """
    if options.get("node_dependency_hints") is not None:
        raise SettingsError("node_dependency_hints can only be used on dynamic workflows, not on a task")
    if options.get("task_config") is not None:
        raise NotSupported(
            f"task_config={type(options['task_config']).__name__}(…) is not supported: there are no task plug-ins yet",
            hint="leave task_config out; resources, images and pod templates are arguments of @task",
        )
    if options.get("task_resolver") is not None:
        raise NotSupported("task_resolver is not supported", hint="define the task's function at the top level of a module")
    if options.get("pickle_untyped"):
        raise NotSupported("pickle_untyped is not supported: inputs and outputs need types", hint="annotate every parameter")
    if options.get("execution_mode", ExecutionBehavior.DEFAULT) is not ExecutionBehavior.DEFAULT:
        raise NotSupported(f"execution_mode={options['execution_mode']} is not supported", hint="leave execution_mode out")


def flag(value: object, what: str) -> bool | None:
    """Return a Boolean option or None.

    Raises:
        SettingsError: ``value`` is something else; ``what`` is the name of the option.
    """
    if value is None or isinstance(value, bool):
        return value
    raise SettingsError(f"{what} must be True, False or None, not {value!r}")


def text(value: object, what: str) -> str | None:
    """Return a text option or None.

    Raises:
        SettingsError: ``value`` is something else; ``what`` is the name of the option.
    """
    if value is None or isinstance(value, str):
        return value
    raise SettingsError(f"{what} must be text, not {value!r}")


def object_name(value: object, what: str) -> str | None:
    """Return the name of a Kubernetes object, or None.

    Raises:
        SettingsError: no object can have the name; ``what`` is the name of the option.
    """
    name = text(value, what)
    if name is not None and not _OBJECT_NAME.fullmatch(name):
        raise SettingsError(f"{what}={name!r} cannot name a Kubernetes object", hint="use a-z, 0-9, '-' and '.'")
    return name


def pool(value: object) -> str | None:
    """Return the name of a pool of workers.

    Raises:
        SettingsError: the value cannot name a pool.
    """
    name = text(value, "pool")
    if name is not None and not is_pool(name):
        raise SettingsError(f"pool={name!r} cannot name a pool of workers", hint="use 1 to 63 of a-z, 0-9 and '-', as in \"gpu\"")
    return name


def reuse(value: object) -> Reuse:
    """Return what of a process several tasks use.

    Raises:
        SettingsError: the value is not one of the three.
    """
    for known in get_args(Reuse):
        if value == known:
            return cast(Reuse, known)
    raise SettingsError(
        f"reuse must be 'imports', 'process' or 'nothing', not {value!r}",
        hint='use reuse="process" for tasks that share state such as a loaded model, and reuse="nothing" for fresh processes',
    )


def image(value: object) -> str | None:
    """Return the name of a container image, given as a text or as an `ImageSpec`. An empty text is the default image.

    Raises:
        SettingsError: the text cannot be a name.
        NotSupported: ``value`` is something else.
    """
    if isinstance(value, ImageSpec):
        return value.image_name()
    if isinstance(value, str) and not (value.isprintable() and is_unicode(value)):
        raise SettingsError(f"container_image={value!r} cannot name an image", hint="container_image='registry/name:tag'")
    if value is None or isinstance(value, str):
        return value or None
    raise NotSupported(
        f"container_image={type(value).__name__}(…) is not supported",
        hint="use the name of the image: container_image='registry/name:tag'",
    )


def accelerator_spec(value: object) -> AcceleratorSpec | None:
    """Return the accelerator for the spec, or None.

    Raises:
        SettingsError: ``value`` is not an accelerator.
    """
    if value is None:
        return None
    if not isinstance(value, BaseAccelerator):
        raise SettingsError(
            f"accelerator must be one of flytemp.extras.accelerators, not {value!r}",
            hint="from flytemp.extras.accelerators import T4",
        )
    return AcceleratorSpec(device=value.device, partition_size=value.partition_size, unpartitioned=value.is_unpartitioned)


def _deck(options: TaskOptions) -> bool:
    enable = flag(options.get("enable_deck"), "enable_deck")
    disable = flag(options.get("disable_deck"), "disable_deck")
    if enable is not None and disable is not None:
        raise SettingsError("disable_deck and enable_deck can't both be set at the same time", hint="use enable_deck alone")
    return enable is True or disable is False


def _deck_fields(fields: Sequence[DeckField | str] | None) -> tuple[str, ...]:
    if fields is None:
        return ()
    try:
        return tuple(DeckField(field).value for field in fields)
    except (TypeError, ValueError) as error:
        raise SettingsError(
            f"deck_fields must contain members of DeckField: {error}", hint=f"one of {', '.join(map(str, DeckField))}"
        ) from error
