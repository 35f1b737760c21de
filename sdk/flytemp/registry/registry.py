"""Access to the registry: register, get and list entities."""

from __future__ import annotations

import builtins
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from flytemp.errors import AlreadyExists, InputError, NotFound
from flytemp.names import EntityId, EntityKind, check_domain, check_project, check_version
from flytemp.registry.difference import difference
from flytemp.registry.documents import entity_kind, read_published, sealed
from flytemp.registry.entries import EntitySummary, RegistrationEntry
from flytemp.registry.log import Record, Snapshot, commit, complete_index
from flytemp.spec.canonical import AnyDocument, complete, digest, stored
from flytemp.store.object_store import ObjectStore
from flytemp.suggest import nearest

_NEAR = 3


@dataclass(frozen=True, slots=True)
class _Pending:
    """Document to register."""

    entity: EntityId
    document: AnyDocument


class Registry:
    """Registry in a store; see `flytemp.registry.log` for its protocol. Thread-safe and stateless.

    Every method raises `StoreError` when the store refuses, `InvalidName` for an invalid name, and `CorruptData` when a
    document or a registration's record is damaged.
    """

    def __init__(self, store: ObjectStore, *, clock: Callable[[], float] = time.time) -> None:
        self.store = store
        self._clock = clock

    def preview(
        self, documents: Iterable[AnyDocument], *, project: str, domain: str, version: str
    ) -> builtins.list[RegistrationEntry]:
        """Return what `register` would do with each document, in the given order. Nothing is written.

        Raises:
            InputError: if two documents have one name.
        """
        pending = _pending(documents, project, domain, version)
        snapshot = self._snapshot(project, domain)
        return [_compare(item, snapshot) for item in pending]

    def register(
        self, documents: Iterable[AnyDocument], *, project: str, domain: str, version: str
    ) -> builtins.list[RegistrationEntry]:
        """Register all documents under one version, or none. Each of them is the latest afterwards.

        A document that is registered with equal content stays as it is.

        Raises:
            AlreadyExists: if a name has other content under this version; the message shows the difference.
            InputError: if two documents have one name.
        """
        pending = _pending(documents, project, domain, version)
        while True:
            snapshot = self._snapshot(project, domain)
            complete_index(snapshot)
            entries = [_compare(item, snapshot) for item in pending]
            conflicts = [entry for entry in entries if entry.status == "conflict"]
            if conflicts:
                raise _already_exists(conflicts)
            new = {str(entry.entity) for entry in entries if entry.status == "new"}
            published = [item for item in pending if str(item.entity) in new or not _is_latest(item.entity, snapshot)]
            if not published:
                return entries
            texts = {str(item.entity): sealed(stored(item.document)) for item in published if str(item.entity) in new}
            record = Record.of([item.entity for item in published], texts, version, int(self._clock() * 1000))
            if commit(snapshot, record):
                return entries

    def get(self, entity: EntityId) -> tuple[EntityId, AnyDocument]:
        """Return the document of ``entity``, of the latest version if it names none; and the id with the version.

        Raises:
            NotFound: with similar names or versions.
        """
        if entity.version is not None:
            found = entity
            document = read_published(self.store, entity)
            if document is None:  # it may be in a registration whose index is incomplete
                document = self._snapshot(entity.project, entity.domain).document(entity)
        else:
            snapshot = self._snapshot(entity.project, entity.domain)
            found = replace(entity, version=self._latest(entity, snapshot))
            document = snapshot.document(found)
        if document is None:
            raise self._not_found(entity)
        return found, document

    def latest(self, entity: EntityId) -> str:
        """Return the version that was registered last, whatever version ``entity`` names.

        Raises:
            NotFound: with similar names.
        """
        return self._latest(entity, self._snapshot(entity.project, entity.domain))

    def list(self, kind: EntityKind, project: str, domain: str) -> builtins.list[EntitySummary]:
        """Return the registered names of one kind with their latest versions, by name."""
        snapshot = self._snapshot(project, domain)
        summaries = []
        for name in snapshot.names(kind):
            entity = EntityId(kind, project, domain, name)
            latest = snapshot.latest(entity)
            if latest is not None:
                registered = datetime.fromtimestamp(latest.registered_ms / 1000, UTC)
                summaries.append(EntitySummary(replace(entity, version=latest.version), registered))
        return summaries

    def versions(self, entity: EntityId) -> builtins.list[str]:
        """Return the registered versions, the newest first.

        Raises:
            NotFound: if no version is registered.
        """
        found = _versions(entity, self._snapshot(entity.project, entity.domain))
        if not found:
            raise self._not_found(replace(entity, version=None))
        return found

    def _snapshot(self, project: str, domain: str) -> Snapshot:
        return Snapshot.take(self.store, check_project(project), check_domain(domain))

    def _latest(self, entity: EntityId, snapshot: Snapshot) -> str:
        latest = snapshot.latest(entity)
        if latest is None:
            raise self._not_found(replace(entity, version=None))
        return latest.version

    def _not_found(self, entity: EntityId) -> NotFound:
        noun, place = entity.kind.noun, f"{entity.project}/{entity.domain}"
        versions = _versions(entity, self._snapshot(entity.project, entity.domain)) if entity.version is not None else []
        if versions and entity.version is not None:
            near = nearest(entity.version, versions, _NEAR, 0.5) or versions[:_NEAR]
            return NotFound(
                f"the {noun} {entity.name!r} in {place} of the store {self.store.uri} has no version {entity.version!r}",
                hint=f"did you mean {_either(near)}? The latest is {versions[0]!r}",
            )
        names = [summary.name for summary in self.list(entity.kind, entity.project, entity.domain)]
        near = _near(entity.name, names)
        if near:
            hint = f"did you mean {_either(near)}?"
        elif names:
            hint = f"`flytemp list` shows the {len(names)} registered {noun}s"
        else:
            hint = f"no {noun} is registered in {place}: use `flytemp register`, or choose another --project or --domain"
        return NotFound(f"there is no {noun} {entity.name!r} in {place} of the store {self.store.uri}", hint=hint)


def _pending(documents: Iterable[AnyDocument], project: str, domain: str, version: str) -> list[_Pending]:
    check_version(version)
    found: dict[EntityId, _Pending] = {}
    for document in documents:
        entity = EntityId(entity_kind(document), project, domain, document.name, version)
        if entity in found and digest(found[entity].document) != digest(document):
            raise InputError(f"two different {entity.kind.noun}s are named {entity.name!r}", hint="rename one of them")
        found.setdefault(entity, _Pending(entity, document))
    return list(found.values())


def _compare(item: _Pending, snapshot: Snapshot) -> RegistrationEntry:
    existing = snapshot.document(item.entity)
    if existing is None:
        return RegistrationEntry(item.entity, "new")
    if digest(existing) == digest(item.document):
        return RegistrationEntry(item.entity, "unchanged")
    return RegistrationEntry(item.entity, "conflict", difference(complete(existing), complete(item.document)))


def _is_latest(entity: EntityId, snapshot: Snapshot) -> bool:
    latest = snapshot.latest(entity)
    return latest is not None and latest.version == entity.version


def _versions(entity: EntityId, snapshot: Snapshot) -> list[str]:
    return list(dict.fromkeys(publication.version for publication in snapshot.publications(entity)))


def _already_exists(conflicts: Sequence[RegistrationEntry]) -> AlreadyExists:
    """Return the error for names whose version has other content, with the differences."""
    parts = [
        f"{entry.entity.kind.noun} with different structure already exists: {entry.entity}\n{entry.diff}"
        for entry in conflicts[:5]
    ]
    if len(conflicts) > 5:
        parts.append(f"… and {len(conflicts) - 5} more: {', '.join(str(entry.entity) for entry in conflicts[5:20])}")
    version = conflicts[0].entity.version
    return AlreadyExists(
        "\n".join(parts),
        hint=f"a version is immutable: register under another one than {version!r}, or let the content name it",
    )


def _near(name: str, names: Sequence[str]) -> list[str]:
    """Return similar names: first those that end like ``name``, which users may give without its module."""
    last = name.rpartition(".")[2]
    by_end = {known.rpartition(".")[2]: known for known in names}
    same_end = [known for known in names if known.rpartition(".")[2] == last and known != name]
    close_end = [by_end[end] for end in nearest(last, by_end, _NEAR, 0.75)]
    return list(dict.fromkeys([*same_end, *nearest(name, names, _NEAR), *close_end]))[:_NEAR]


def _either(texts: Sequence[str]) -> str:
    return " or ".join(repr(text) for text in texts)
