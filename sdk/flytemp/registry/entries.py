"""Results of the registry."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from flytemp.names import EntityId


@dataclass(frozen=True, slots=True)
class RegistrationEntry:
    """Effect of registering one document. ``diff`` is the difference in a conflict."""

    entity: EntityId
    status: Literal["new", "unchanged", "conflict"]
    diff: str | None = None


@dataclass(frozen=True, slots=True)
class EntitySummary:
    """Registered name. ``entity`` has its latest version, registered at ``registered_at`` (UTC)."""

    entity: EntityId
    registered_at: datetime

    @property
    def name(self) -> str:
        return self.entity.name

    @property
    def version(self) -> str:
        assert self.entity.version is not None
        return self.entity.version
