"""`TaskMetadata`: settings of the calls of a map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any

from flytemp.authoring.errors import SettingsError
from flytemp.authoring.retry import RetryStrategy, Timeout


@dataclass(frozen=True)
class TaskMetadata:
    """What a map's calls do differently from the task; None leaves what the task says."""

    cache: bool | None = None
    cache_serialize: bool | None = None
    cache_version: str | None = None
    interruptible: bool | None = None
    retries: int | RetryStrategy | None = None
    timeout: float | int | timedelta | Timeout | None = None


_NAMES = frozenset(field.name for field in fields(TaskMetadata))


def metadata_overrides(metadata: TaskMetadata | Mapping[str, Any] | None) -> dict[str, Any]:
    """The settings that it replaces, under the names of `with_overrides`.

    Raises:
        SettingsError: for anything but a `TaskMetadata` or a dict of its fields.
    """
    if metadata is None:
        return {}
    given = vars(metadata) if isinstance(metadata, TaskMetadata) else metadata
    if not isinstance(given, Mapping) or given.keys() - _NAMES:
        raise SettingsError(f"metadata must be a TaskMetadata, not {metadata!r}", hint=f"it has {', '.join(sorted(_NAMES))}")
    return {name: value for name, value in given.items() if value is not None}
