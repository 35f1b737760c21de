"""Registered entities: register, get, list."""

from __future__ import annotations

import builtins
import difflib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from flytemp import layout
from flytemp.errors import InputError, NotFound
from flytemp.names import EntityId, EntityKind, check_version
from flytemp.registry.difference import difference
from flytemp.registry.entries import EntitySummary, RegistrationEntry
from flytemp.registry.registration import (
    Pending,
    Registration,
    conflict,
    entity_kind,
    is_published,
    read_if_there,
    split_latest,
)
from flytemp.spec.canonical import AnyDocument, complete, digest
from flytemp.store.object_store import ObjectStore

_NEAR = 3


class Registry:
    """The registry in a store; see `flytemp.layout` for its keys. Thread-safe and stateless.

    Every method raises `StoreError` when the store refuses, and `InvalidName` for a name that is none.
    """

    def __init__(
        self,
        store: ObjectStore,
        *,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.store = store
        self._clock = clock
        self._pause = pause

    def preview(
        self, documents: Iterable[AnyDocument], *, project: str, domain: str, version: str
    ) -> builtins.list[RegistrationEntry]:
        """What `register` would do with each document, in the order given; nothing is written.

        Raises:
            InputError: when two documents have one name.
            CorruptData: when a registered document is damaged.
        """
        return [self._compare(item) for item in _pending(documents, project, domain, version)]

    def register(
        self,
        documents: Iterable[AnyDocument],
        *,
        project: str,
        domain: str,
        version: str,
        published_ms: int | None = None,
    ) -> builtins.list[RegistrationEntry]:
        """Register all documents under one version, or none; what is there with equal content stays as it is.

        Args:
            published_ms: milliseconds since the epoch; the newest is the latest. Now, by default.

        Raises:
            AlreadyExists: when a name has other content under this version; the text shows the difference.
            InputError: when two documents have one name.
            CorruptData: when a registered document is damaged.
        """
        pending = _pending(documents, project, domain, version)
        entries = [self._compare(item) for item in pending]
        # What is not published yet may be gone again in a moment: `Registration` waits for it.
        conflicts = [
            (entry.entity, entry.diff or "")
            for entry in entries
            if entry.status == "conflict" and is_published(self.store, entry.entity)
        ]
        if conflicts:
            raise conflict(conflicts)
        unchanged = {layout.document_key(entry.entity) for entry in entries if entry.status == "unchanged"}
        moment = int(time.time() * 1000) if published_ms is None else published_ms
        created = Registration(self.store, moment, self._clock, self._pause).run(pending, unchanged)
        return [RegistrationEntry(item.entity, "new" if item.key in created else "unchanged") for item in pending]

    def get(self, entity: EntityId) -> tuple[EntityId, AnyDocument]:
        """The document of ``entity``, of its latest version when it names none; and the id with the version.

        Raises:
            NotFound: with names or versions that are near.
            CorruptData: when what is there is damaged.
        """
        found = entity if entity.version is not None else replace(entity, version=self.latest(entity))
        document = read_if_there(self.store, found)
        if document is None:
            raise self._not_found(entity)
        return found, document

    def latest(self, entity: EntityId) -> str:
        """The version published last, whatever version ``entity`` names.

        Raises:
            NotFound: when there is none.
        """
        for _, version in self._published(entity, limit=1):
            return version
        raise self._not_found(replace(entity, version=None))

    def list(self, kind: EntityKind, project: str, domain: str) -> builtins.list[EntitySummary]:
        """Every registered name of one kind, sorted, with its latest version."""
        summaries: builtins.list[EntitySummary] = []
        for name in self.store.list(layout.entity_folder(kind, project, domain)):
            entity = EntityId(kind, project, domain, name)
            for published_ms, version in self._published(entity, limit=1):
                published = datetime.fromtimestamp(published_ms / 1000, UTC)
                summaries.append(EntitySummary(replace(entity, version=version), published))
        return summaries

    def versions(self, entity: EntityId) -> builtins.list[str]:
        """The published versions, newest first.

        Raises:
            NotFound: when there is none.
        """
        found = list(dict.fromkeys(version for _, version in self._published(entity)))
        if not found:
            raise self._not_found(replace(entity, version=None))
        return found

    def _published(self, entity: EntityId, limit: int | None = None) -> builtins.list[tuple[int, str]]:
        names = self.store.list(layout.latest_folder(entity), limit)
        return [(published_ms, version) for published_ms, version in map(split_latest, names) if version]

    def _compare(self, item: Pending) -> RegistrationEntry:
        existing = read_if_there(self.store, item.entity)
        if existing is None:
            return RegistrationEntry(item.entity, "new")
        if digest(existing) == digest(item.document):
            return RegistrationEntry(item.entity, "unchanged")
        return RegistrationEntry(item.entity, "conflict", difference(complete(existing), complete(item.document)))

    def _not_found(self, entity: EntityId) -> NotFound:
        noun, place = entity.kind.noun, f"{entity.project}/{entity.domain}"
        versions = list(dict.fromkeys(version for _, version in self._published(entity)))
        if versions and entity.version is not None:
            near = difflib.get_close_matches(entity.version, versions, _NEAR, 0.5) or versions[:_NEAR]
            return NotFound(
                f"the {noun} {entity.name!r} in {place} of the store {self.store.uri} has no version {entity.version!r}",
                hint=f"did you mean {_either(near)}? The latest is {versions[0]!r}",
            )
        names = [summary.name for summary in self.list(entity.kind, entity.project, entity.domain)]
        near = _near(entity.name, names)
        if near:
            hint = f"did you mean {_either(near)}?"
        elif names:
            hint = f"`flytemp list` shows the {len(names)} {noun}s there are"
        else:
            hint = f"no {noun} is registered in {place}: `flytemp register` does; or name another --project or --domain"
        return NotFound(f"there is no {noun} {entity.name!r} in {place} of the store {self.store.uri}", hint=hint)


def _pending(documents: Iterable[AnyDocument], project: str, domain: str, version: str) -> list[Pending]:
    check_version(version)
    found: dict[EntityId, Pending] = {}
    for document in documents:
        entity = EntityId(entity_kind(document), project, domain, document.name, version)
        if entity in found and digest(found[entity].document) != digest(document):
            raise InputError(f"two different {entity.kind.noun}s are called {entity.name!r}", hint="rename one of them")
        found.setdefault(entity, Pending(entity, document))
    return list(found.values())


def _near(name: str, names: Sequence[str]) -> list[str]:
    """Names that end like ``name``, which users know without its module, then those spelled like it."""
    last = name.rpartition(".")[2]
    same_end = [known for known in names if known.rpartition(".")[2] == last and known != name]
    close = difflib.get_close_matches(name, names, _NEAR, 0.6)
    by_end = {known.rpartition(".")[2]: known for known in names}
    close_end = [by_end[end] for end in difflib.get_close_matches(last, list(by_end), _NEAR, 0.75)]
    return list(dict.fromkeys([*same_end, *close, *close_end]))[:_NEAR]


def _either(texts: Sequence[str]) -> str:
    return " or ".join(repr(text) for text in texts)
