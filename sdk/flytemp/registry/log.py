"""Log of registrations: the order in which they were published, and the index that readers use.

Each project and domain has a log. Registration n is one object, ``registrations/<inverted n>.json``. It holds the version,
the entities that it publishes and their documents. **Creating this object, exclusively, publishes all of its entities at
once.** The number n is one more than that of the newest registration, so the store decides the order and no clock does. The
time in the record is information only.

A registration takes these steps:

1. Find the newest registration. If its index is incomplete, complete it (step 4).
2. Compare the new documents with the published ones. Other content under the same version is a conflict.
3. Create the record of number n+1 exclusively. If another process has created it, begin again at step 1: the documents of
   that process are published now and have to be compared.
4. Write the index: the document of each new version, then a ``latest`` key for each entity, then the marker
   ``<inverted n>.indexed``. At last, remove the documents from the record, because each has its own object now.

The index contains only what a record has published. All of its objects are determined by the record, so any number of
processes may write them, in any order and more than once.

A reader lists the first names of the log. If the newest registration has its marker, the index is complete. If not, the
reader uses the record for the entities that are in it and the index for all others. So it sees either all entities of a
registration or none. Reading a certain version takes one request where the index is complete: the document's own object.

Failures:

* A process that stops before step 3 leaves nothing.
* A process that stops after step 3, or that cannot write the index, leaves a published registration with an incomplete index.
  Readers see all of it. The next registration completes the index, and no later registration is created before that: only
  the newest can be incomplete.
* A process that stops before it removes the documents from the record leaves a second copy of them, which nothing reads.
* If the answer to step 3 is lost, the token in the record shows which process created it.
* A slow process may write its index when later registrations exist. What it writes is there already.
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from flytemp import layout
from flytemp.errors import CorruptData, InvalidName, StoreError
from flytemp.names import EntityId, EntityKind, check_version, name_of_folder
from flytemp.registry.documents import read_published
from flytemp.spec.canonical import AnyDocument
from flytemp.store.object_store import ObjectStore

logger = logging.getLogger(__name__)

_FIRST_NAMES = 4  # more than the two that are needed: other programs may leave files, such as .DS_Store
_LOG_NAME = re.compile(r"(\d{14})\.(indexed|json)")
_LATEST_NAME = re.compile(r"(\d{14})-(\d{1,14})-(.+)")


class Record(BaseModel):
    """Registration in the store. A complete index leaves ``documents`` None."""

    model_config = ConfigDict(frozen=True)

    version: str
    registered_ms: int = Field(ge=0, lt=10**14)
    token: str
    entities: tuple[str, ...]  # URNs with the version
    documents: dict[str, str] | None  # stored form by URN; only of entities that are new under the version

    @classmethod
    def of(cls, entities: Sequence[EntityId], documents: dict[str, str], version: str, registered_ms: int) -> Record:
        token = secrets.token_hex(8)
        urns = tuple(str(entity) for entity in entities)
        return cls(version=version, registered_ms=registered_ms, token=token, entities=urns, documents=documents)


@dataclass(frozen=True, slots=True)
class Publication:
    """Publication of an entity. A version may be published several times, to be the latest again."""

    number: int
    registered_ms: int
    version: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Published entities of a project and domain at one moment.

    Attributes:
        newest: the number of the newest registration; 0 if there are no registrations.
        incomplete: its record, if its index is not known to be complete.
    """

    store: ObjectStore
    project: str
    domain: str
    newest: int
    incomplete: Record | None

    @classmethod
    def take(cls, store: ObjectStore, project: str, domain: str) -> Snapshot:
        """Return the snapshot of this moment.

        Raises:
            CorruptData: if the record of the newest registration is damaged.
        """
        names = store.list(layout.registrations_folder(project, domain), _FIRST_NAMES)
        first = next((found for name in names if (found := _LOG_NAME.fullmatch(name))), None)
        if first is None:
            return cls(store, project, domain, 0, None)
        number = layout.inverted_number(first[1])
        record = None if first[2] == "indexed" else _read_record(store, layout.registration_key(project, domain, number))
        return cls(store, project, domain, number, record if record is not None and record.documents is not None else None)

    def names(self, kind: EntityKind) -> list[str]:
        """Return the names of the published entities of one kind, sorted. A name may have no publication yet."""
        folders = self.store.list(layout.entity_folder(kind, self.project, self.domain))
        names = {name for folder in folders if (name := name_of_folder(folder)) is not None}
        entities = map(EntityId.parse, self.incomplete.entities) if self.incomplete is not None else ()
        return sorted(names | {entity.name for entity in entities if entity.kind is kind})

    def latest(self, entity: EntityId) -> Publication | None:
        """Return the newest publication of an entity, whatever version ``entity`` names."""
        recent = self._publications(entity, _FIRST_NAMES)
        # Only registrations that are newer than this snapshot can fill the first names.
        found = recent or self._publications(entity, None)
        return found[0] if found else None

    def publications(self, entity: EntityId) -> list[Publication]:
        """Return all publications of an entity, the newest first."""
        return self._publications(entity, None)

    def document(self, entity: EntityId) -> AnyDocument | None:
        """Return the document of ``entity``, which has a version; None if it is not published.

        Raises:
            CorruptData: if the document is damaged.
        """
        found = read_published(self.store, entity)
        if found is not None or self.incomplete is None or self.incomplete.documents is None:
            return found
        text = self.incomplete.documents.get(str(entity))
        return None if text is None else read_published(self.store, entity, text)

    def _publications(self, entity: EntityId, limit: int | None) -> list[Publication]:
        found = map(_publication, self.store.list(layout.latest_folder(entity), limit))
        indexed = [each for each in found if each is not None and each.number <= self.newest]
        record = self.incomplete
        if record is None or str(replace(entity, version=record.version)) not in record.entities:
            return indexed
        newest = Publication(self.newest, record.registered_ms, record.version)
        return [newest, *(each for each in indexed if each != newest)]


def commit(snapshot: Snapshot, record: Record) -> bool:
    """Publish a registration as the one after the newest of ``snapshot``, and write its index.

    If the store refuses the index, the registration is published all the same, and a warning is logged.

    Returns:
        False if another registration has taken that number. Then nothing was published.
    """
    number = snapshot.newest + 1
    key = layout.registration_key(snapshot.project, snapshot.domain, number)
    if not snapshot.store.create(key, record.model_dump_json().encode()):
        existing = _read_record(snapshot.store, key)
        if existing is None or existing.token != record.token:
            return False
    try:
        complete_index(Snapshot(snapshot.store, snapshot.project, snapshot.domain, number, record))
    except StoreError as error:
        logger.warning("the next registration completes the index of this one: %s", error.message)
    return True


def complete_index(snapshot: Snapshot) -> None:
    """Write the index of the newest registration, as far as it is incomplete."""
    record, store = snapshot.incomplete, snapshot.store
    if record is None:
        return
    for urn, text in (record.documents or {}).items():
        store.create(layout.document_key(EntityId.parse(urn)), text.encode())
    for urn in record.entities:
        store.create(layout.latest_key(EntityId.parse(urn), snapshot.newest, record.registered_ms), b"")
    store.create(layout.indexed_key(snapshot.project, snapshot.domain, snapshot.newest), b"")
    summary = record.model_copy(update={"documents": None})
    key = layout.registration_key(snapshot.project, snapshot.domain, snapshot.newest)
    store.write(key, summary.model_dump_json().encode())


def _publication(name: str) -> Publication | None:
    """Return the publication that a name in the index states; None for a damaged name, or a file of another program."""
    found = _LATEST_NAME.fullmatch(name)
    try:
        return found and Publication(layout.inverted_number(found[1]), int(found[2]), check_version(found[3]))
    except InvalidName:
        return None


def _read_record(store: ObjectStore, key: str) -> Record | None:
    data = store.read_or_none(key)
    if data is None:
        return None
    try:
        record = Record.model_validate_json(data)
        for urn in (*record.entities, *(record.documents or {})):
            EntityId.parse(urn)
    except (ValidationError, InvalidName) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error.message
        raise CorruptData(
            f"{store.uri_of(key)} is not the record of a registration: {reason}",
            hint="the object was changed or damaged: restore it",
        ) from error
    return record
