"""Labels, annotations and where raw data goes: what executions of a workflow or launch plan carry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flytemp.authoring.pod import text_map
from flytemp.errors import NotSupported


@dataclass(frozen=True)
class Labels:
    """Labels of an execution."""

    values: Mapping[str, str]


@dataclass(frozen=True)
class Annotations:
    """Annotations of an execution."""

    values: Mapping[str, str]


@dataclass(frozen=True)
class RawOutputDataConfig:
    """``output_location_prefix``: the URI under which an execution's files go."""

    output_location_prefix: str


@dataclass(frozen=True)
class Options:
    """What an execution carries besides its inputs."""

    labels: Labels | Mapping[str, str] | None = None
    annotations: Annotations | Mapping[str, str] | None = None
    raw_output_data_config: RawOutputDataConfig | None = None
    security_context: Any = None
    max_parallelism: int | None = None
    notifications: Any = None
    disable_notifications: bool | None = None
    overwrite_cache: bool | None = None

    def __post_init__(self) -> None:
        self.label_map()
        self.annotation_map()
        for name in ("security_context", "notifications"):
            if getattr(self, name):
                raise NotSupported(f"Options({name}=…) is not supported", hint=f"leave {name} out")

    def label_map(self) -> dict[str, str] | None:
        return values_of(self.labels, "labels")

    def annotation_map(self) -> dict[str, str] | None:
        return values_of(self.annotations, "annotations")


def values_of(given: Labels | Annotations | Mapping[str, str] | None, what: str) -> dict[str, str] | None:
    """The texts in labels or annotations; None when they are not given.

    Raises:
        SettingsError: when they are no dict of texts.
    """
    if given is None:
        return None
    return text_map(given.values if isinstance(given, Labels | Annotations) else given, what)
