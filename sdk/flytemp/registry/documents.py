"""Registered documents in the store.

A document is stored with the digest of its bytes: ``{"sha256":"<64 hex digits>","document":<the document>}``. Readers compare
both, so that a document that was changed or damaged after its registration is refused.
"""

from __future__ import annotations

import hashlib
import re

from flytemp import layout
from flytemp.errors import CorruptData
from flytemp.names import EntityId, EntityKind
from flytemp.spec.canonical import AnyDocument
from flytemp.spec.read import read_document
from flytemp.store.object_store import ObjectStore

_KINDS = {"task": EntityKind.TASK, "workflow": EntityKind.WORKFLOW, "launch_plan": EntityKind.LAUNCH_PLAN}


_SEALED = re.compile(rb'\{"sha256":"([0-9a-f]{64})","document":')
_DAMAGED_HINT = "it was changed or damaged after it was registered: restore it, or register the program as a new version"


def sealed(text: str) -> str:
    """Return the stored form of a document's JSON, with its digest."""
    return f'{{"sha256":"{hashlib.sha256(text.encode()).hexdigest()}","document":{text}}}'


def unsealed(data: bytes, where: str) -> bytes:
    """Return the document's JSON from its stored form; ``where`` is its URI, for messages.

    Raises:
        CorruptData: the document does not have the digest with which it was stored.
    """
    found = _SEALED.match(data)
    if found is None or not data.endswith(b"}"):
        raise CorruptData(f"{where} is not a registered document: its digest is missing", hint=_DAMAGED_HINT)
    text = data[found.end() : -1]
    if hashlib.sha256(text).hexdigest() != found[1].decode():
        raise CorruptData(f"{where} was changed: the digest of its content is not the stored digest", hint=_DAMAGED_HINT)
    return text


def entity_kind(document: AnyDocument) -> EntityKind:
    """Return the kind of entity that a document describes."""
    return _KINDS[document.kind]


def read_published(store: ObjectStore, entity: EntityId, text: str | None = None) -> AnyDocument | None:
    """Return the document of ``entity``, which has a version; None if it has no object in the store.

    Args:
        text: the document's stored form, if it was read already.

    Raises:
        CorruptData: if the object was changed, or is not a document of that name.
    """
    key = layout.document_key(entity)
    data = store.read_or_none(key) if text is None else text.encode()
    if data is None:
        return None
    where = store.uri_of(key)
    document = read_document(unsealed(data, where), where)
    kind = entity_kind(document)
    if kind is not entity.kind or document.name != entity.name:
        raise CorruptData(
            f"{where} holds the {kind.noun} {document.name!r}, not the {entity.kind.noun} {entity.name!r}",
            hint="it was moved or replaced: restore it, or register the program as a new version",
        )
    return document
