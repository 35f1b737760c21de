"""Pod templates of tasks."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from flytemp.authoring.errors import SettingsError
from flytemp.literals.types import Json
from flytemp.pods.shape import MAX_NESTING, is_unicode, pod_spec_problems
from flytemp.spec.models import PodTemplateSpec
from flytemp.spec.variables import environment_problems

_SHOWN_PROBLEMS = 5
_CONTAINER_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True)
class PodTemplate:
    """Template of the pod that runs a task.

    Attributes:
        pod_spec: a ``V1PodSpec`` of the kubernetes package, or a PodSpec as a dict.
        primary_container_name: the name of the container that runs the task.
        labels: labels of the pod.
        annotations: annotations of the pod.

    Raises:
        SettingsError: ``primary_container_name`` is not the name of a container.
    """

    pod_spec: Any = None
    primary_container_name: str = "primary"
    labels: Mapping[str, str] | None = field(default=None)
    annotations: Mapping[str, str] | None = field(default=None)

    def __post_init__(self) -> None:
        name = self.primary_container_name
        if not isinstance(name, str) or not _CONTAINER_NAME.fullmatch(name):
            raise SettingsError(
                f"primary_container_name of a PodTemplate must be the name of a container, not {name!r}",
                hint="use 1 to 63 of a-z, 0-9 and '-', not '-' at an end",
            )

    def spec(self) -> PodTemplateSpec:
        """Return the template for the spec.

        Raises:
            SettingsError: ``pod_spec``, ``labels`` or ``annotations`` are invalid.
        """
        pod = {} if self.pod_spec is None else kubernetes_json(self.pod_spec)
        if not isinstance(pod, dict):
            raise SettingsError(
                f"pod_spec must be a kubernetes V1PodSpec or a dict, not {type(self.pod_spec).__name__}",
                hint="PodTemplate(pod_spec={'containers': [{'name': 'primary', 'tolerations': …}]})",
            )
        if problems := list(itertools.islice(pod_spec_problems(pod), _SHOWN_PROBLEMS)):
            raise SettingsError(
                f"pod_spec is malformed: {'; '.join(problems)}",
                hint="PodTemplate(pod_spec={'containers': [{'name': 'primary', 'env': [{'name': 'A', 'value': 'b'}]}]})",
            )
        return PodTemplateSpec(
            spec=pod,
            primary_container_name=self.primary_container_name,
            labels=text_map(self.labels, "labels of a PodTemplate"),
            annotations=text_map(self.annotations, "annotations of a PodTemplate"),
        )


def pod_template_spec(value: object) -> PodTemplateSpec | None:
    """Return the pod template for the spec, or None.

    Raises:
        SettingsError: ``value`` is not a `PodTemplate`.
    """
    if value is None:
        return None
    if not isinstance(value, PodTemplate):
        raise SettingsError(f"pod_template must be a PodTemplate, not {value!r}", hint="PodTemplate(pod_spec=V1PodSpec(…))")
    return value.spec()


def kubernetes_json(value: Any, levels: int = MAX_NESTING) -> Json:
    """Return the JSON of a model of the kubernetes package, for the API server.

    The ``attribute_map`` of a model has the JSON names of its attributes, so the package is not imported here.

    Args:
        value: a model, or a value of JSON.
        levels: maximum nesting of the value.

    Raises:
        SettingsError: ``value`` contains an object without a JSON form, or is nested too deeply.
    """
    if levels < 0:
        hint = "check that it does not contain itself"
        raise SettingsError(f"pod_spec is nested more than {MAX_NESTING} levels deep", hint=hint)
    names = getattr(value, "attribute_map", None)
    if isinstance(names, Mapping):
        items = {json_name: getattr(value, name) for name, json_name in names.items()}
        return {json_name: kubernetes_json(item, levels - 1) for json_name, item in items.items() if item is not None}
    if isinstance(value, Mapping):
        return {str(key): kubernetes_json(item, levels - 1) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [kubernetes_json(item, levels - 1) for item in value]
    if isinstance(value, datetime | date):
        return value.isoformat()
    if value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise SettingsError(
        f"{value!r} in a pod_spec has no JSON form", hint="use kubernetes models, dicts, lists, texts and numbers"
    )


def text_map(value: object, what: str) -> dict[str, str]:
    """Return a mapping of texts as a dict, which is empty for None.

    Args:
        value: the mapping.
        what: the name of the setting in messages.

    Raises:
        SettingsError: ``value`` is something else.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(text, str) for pair in value.items() for text in pair):
        raise SettingsError(f"{what} must be a dict of texts, not {value!r}", hint='write numbers as text: {"LEVEL": "3"}')
    wrong = [text for pair in value.items() for text in pair if not is_unicode(text) or "\0" in text]
    if wrong:
        raise SettingsError(f"{what} must be Unicode texts without NUL, not {wrong[0]!r}", hint="remove the invalid characters")
    return dict(value)


def environment_map(value: object) -> dict[str, str]:
    """Return the environment variables of a task as a dict.

    Raises:
        SettingsError: ``value`` is not a mapping of texts, or a variable is one that a task cannot have.
    """
    environment = text_map(value, "environment")
    if problems := list(itertools.islice(environment_problems(environment), _SHOWN_PROBLEMS)):
        raise SettingsError(f"environment is invalid: {'; '.join(problems)}", hint='environment={"LOG_LEVEL": "debug"}')
    return environment
