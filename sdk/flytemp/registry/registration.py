"""Registering a program's documents: all or nothing, among any number of processes that do the same.

A document's key is created exclusively, so of two contents under one version one is refused. What makes several
documents one unit is the *latest* key, created for each when all documents are there:

* documents are created in the order of their keys. Of two programs that differ, one is refused at the first document
  they disagree on, removes what it created, and nobody waits in a circle;
* a document that is there and not *published* (has no latest key) belongs to a registration under way, which may yet
  be refused and remove it. So it is waited for: until it is published, or gone, or so old that its registration must
  have been killed; then it is adopted;
* who is refused removes only documents younger than that, which nobody can have adopted.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from flytemp import layout
from flytemp.errors import AlreadyExists, CorruptData, FlytempError, StoreError
from flytemp.names import EntityId, EntityKind
from flytemp.registry.difference import difference
from flytemp.spec.canonical import AnyDocument, complete, digest, stored
from flytemp.spec.read import read_document
from flytemp.store.object_store import ObjectStore

ADOPT_SECONDS = 20.0
"""A document that stays unpublished for so long under a waiter's eyes belongs to no living registration."""
_REMOVABLE_SECONDS = 15.0  # less than ADOPT_SECONDS: a removal must end before anybody adopts
_FIRST_PAUSE_SECONDS = 0.005
_LONGEST_PAUSE_SECONDS = 0.5
_KINDS = {"task": EntityKind.TASK, "workflow": EntityKind.WORKFLOW, "launch_plan": EntityKind.LAUNCH_PLAN}
_PUBLISHING_ORDER = (EntityKind.TASK, EntityKind.WORKFLOW, EntityKind.LAUNCH_PLAN)


@dataclass(frozen=True, slots=True)
class Pending:
    """A document on its way into the registry."""

    entity: EntityId
    document: AnyDocument

    @property
    def key(self) -> str:
        return layout.document_key(self.entity)


@dataclass(slots=True)
class Registration:
    """One call of `Registry.register`. ``clock`` gives seconds that only grow; ``pause`` waits so many."""

    store: ObjectStore
    published_ms: int
    clock: Callable[[], float]
    pause: Callable[[float], None]
    _created: list[tuple[str, float]] = field(default_factory=list)

    def run(self, pending: Sequence[Pending], unchanged: Collection[str] = ()) -> set[str]:
        """Store and publish all; the keys of the documents that this call created.

        Args:
            unchanged: keys whose documents were there, and equal, a moment ago.

        Raises:
            AlreadyExists: when one of the names has other content under this version.
            StoreError: when the store refuses. In both cases nothing stays of what this call created.
        """
        ordered = sorted(pending, key=lambda item: item.key)
        with self._removing_on_failure():
            states = {item.key: self._settle(item, item.key in unchanged) for item in ordered}
            for item in sorted(ordered, key=lambda item: (_PUBLISHING_ORDER.index(item.entity.kind), item.key)):
                if states[item.key] != "published" or not self._is_latest(item.entity):
                    self._create(layout.latest_key(item.entity, self.published_ms), b"")
        return {key for key, state in states.items() if state == "created"}

    def _is_latest(self, entity: EntityId) -> bool:
        """Whether this version leads already. One that led before, and is registered again, is to lead again."""
        return any(split_latest(name)[1] == entity.version for name in self.store.list(layout.latest_folder(entity), 1))

    def _settle(self, item: Pending, unchanged: bool) -> Literal["created", "published", "adopted"]:
        """Make sure that the document is there to stay."""
        if unchanged and is_published(self.store, item.entity):
            return "published"
        data = stored(item.document).encode()
        while True:
            if self._create(item.key, data):
                return "created"
            state = self._wait(item)
            existing = None if state == "gone" else read_if_there(self.store, item.entity)
            if state == "gone" or existing is None:
                continue  # its registration was refused
            if digest(existing) != digest(item.document):
                raise conflict([(item.entity, difference(complete(existing), complete(item.document)))])
            return state

    def _wait(self, item: Pending) -> Literal["published", "adopted", "gone"]:
        """Wait for another registration to decide about a document that is there."""
        started = self.clock()
        seconds = _FIRST_PAUSE_SECONDS
        while not is_published(self.store, item.entity):
            if self.clock() - started >= ADOPT_SECONDS:
                return "adopted"
            if not self.store.exists(item.key):
                return "gone"
            self.pause(seconds)
            seconds = min(2 * seconds, _LONGEST_PAUSE_SECONDS)
        return "published"

    def _create(self, key: str, data: bytes) -> bool:
        began = self.clock()
        created = self.store.create(key, data)
        if created:
            self._created.append((key, began))
        return created

    @contextlib.contextmanager
    def _removing_on_failure(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:  # an interrupted registration leaves nothing either
            self._remove_created(error)
            raise

    def _remove_created(self, reason: BaseException) -> None:
        left: list[str] = []
        for key, began in reversed(self._created):
            if self.clock() - began > _REMOVABLE_SECONDS:
                left.append(self.store.uri_of(key))
                continue
            try:
                self.store.delete(key)
            except StoreError:
                left.append(self.store.uri_of(key))
        if left and isinstance(reason, FlytempError):
            reason.message += f"\n{len(left)} objects could not be taken back: {', '.join(left[:5])}"
            reason.args = (reason.message,)


def read_if_there(store: ObjectStore, entity: EntityId) -> AnyDocument | None:
    """The document of ``entity``, which has a version; None when there is none.

    Raises:
        CorruptData: when what is there is no document of that name.
    """
    key = layout.document_key(entity)
    data = store.read_or_none(key)
    if data is None:
        return None
    document = read_document(data, store.uri_of(key))
    return _of_that_name(document, entity, store.uri_of(key))


def is_published(store: ObjectStore, entity: EntityId) -> bool:
    """Whether the registration of ``entity``, which has a version, was completed."""
    return any(split_latest(name)[1] == entity.version for name in store.list(layout.latest_folder(entity)))


def split_latest(name: str) -> tuple[int, str]:
    """When (milliseconds since the epoch) and which version a name in a `latest` folder says; else ``(0, "")``."""
    stamp, _, version = name.partition("-")
    if not stamp.isdecimal():
        return 0, ""
    return int(layout.inverted(0)) - int(stamp), version


def conflict(conflicts: Sequence[tuple[EntityId, str]]) -> AlreadyExists:
    """The error for names whose version is taken by other content, with the differences."""
    parts = [
        f"{entity.kind.noun} with different structure already exists: {entity}\n{diff}"
        for entity, diff in conflicts[:5]
    ]
    if len(conflicts) > 5:
        parts.append(f"… and {len(conflicts) - 5} more: {', '.join(str(entity) for entity, _ in conflicts[5:20])}")
    version = conflicts[0][0].version
    return AlreadyExists(
        "\n".join(parts),
        hint=f"a version is immutable: register under another one than {version!r}, or let the content name it",
    )


def entity_kind(document: AnyDocument) -> EntityKind:
    return _KINDS[document.kind]


def _of_that_name(document: AnyDocument, entity: EntityId, where: str) -> AnyDocument:
    kind = entity_kind(document)
    if kind is not entity.kind or document.name != entity.name:
        raise CorruptData(
            f"{where} holds the {kind.noun} {document.name!r}, not the {entity.kind.noun} {entity.name!r}",
            hint="it was moved or replaced: restore it, or register the program as a new version",
        )
    return document
