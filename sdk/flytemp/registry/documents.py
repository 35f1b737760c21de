"""Reading registered documents."""

from __future__ import annotations

from flytemp import layout
from flytemp.errors import CorruptData
from flytemp.names import EntityId, EntityKind
from flytemp.spec.canonical import AnyDocument
from flytemp.spec.read import read_document
from flytemp.store.object_store import ObjectStore

_KINDS = {"task": EntityKind.TASK, "workflow": EntityKind.WORKFLOW, "launch_plan": EntityKind.LAUNCH_PLAN}


def entity_kind(document: AnyDocument) -> EntityKind:
    """Return the kind of entity that a document describes."""
    return _KINDS[document.kind]


def read_published(store: ObjectStore, entity: EntityId, text: str | None = None) -> AnyDocument | None:
    """Return the document of ``entity``, which has a version; None if it has no object in the store.

    Args:
        text: the document's JSON, if it was read already.

    Raises:
        CorruptData: if the object is not a document of that name.
    """
    key = layout.document_key(entity)
    data = store.read_or_none(key) if text is None else text.encode()
    if data is None:
        return None
    where = store.uri_of(key)
    document = read_document(data, where)
    kind = entity_kind(document)
    if kind is not entity.kind or document.name != entity.name:
        raise CorruptData(
            f"{where} holds the {kind.noun} {document.name!r}, not the {entity.kind.noun} {entity.name!r}",
            hint="it was moved or replaced: restore it, or register the program as a new version",
        )
    return document
