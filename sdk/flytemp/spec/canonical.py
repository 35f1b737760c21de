"""The canonical JSON of a document, and its digest: what "the same content" means."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from flytemp.literals.types import Json, SchemaModel
from flytemp.spec.models import LaunchPlanDocument, TaskDocument, WorkflowDocument

AnyDocument = TaskDocument | WorkflowDocument | LaunchPlanDocument


def dumps(value: Json) -> str:
    """Compact JSON with sorted keys: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def stored(document: AnyDocument) -> str:
    """The JSON that is kept of a document. Maps keep the order of their keys: defaults and constants are the user's."""
    return json.dumps(document.model_dump(mode="json"), separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def content(document: SchemaModel) -> dict[str, Any]:
    """The document, or a part of one, as JSON without file and line: where it was written is not what it is."""
    stripped = _without_locations(document.model_dump(mode="json"))
    assert isinstance(stripped, dict)
    return stripped


def digest(document: AnyDocument) -> str:
    """sha256, in hex, of the canonical JSON. It covers the code bundle (by its digest)."""
    return hashlib.sha256(dumps(content(document)).encode()).hexdigest()


def _without_locations(value: Json) -> Json:
    if isinstance(value, dict):
        # A user's own map may have the key "location": only the model's field holds {file, line} or None.
        return {
            key: _without_locations(item)
            for key, item in value.items()
            if not (key == "location" and (item is None or (isinstance(item, dict) and set(item) == {"file", "line"})))
        }
    if isinstance(value, list):
        return [_without_locations(item) for item in value]
    return value
