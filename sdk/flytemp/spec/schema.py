"""Published JSON Schema of documents, for YAML, other languages and generators."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from flytemp.literals.types import Json
from flytemp.spec.models import SCHEMA_VERSION, Document

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a document: a task, a workflow or a launch plan."""
    schema = TypeAdapter(Document).json_schema(ref_template="#/$defs/{model}")
    _require_tags(schema, schema["$defs"])
    return {
        "$schema": DIALECT,
        "title": f"flytemp document, schema version {SCHEMA_VERSION}",
        **schema,
    }


def _require_tags(value: Json, definitions: dict[str, Any]) -> None:
    """Require the discriminators of alternatives: they have defaults in Python, but not in JSON."""
    if isinstance(value, list):
        for item in value:
            _require_tags(item, definitions)
    if not isinstance(value, dict):
        return
    discriminator = value.get("discriminator")
    if isinstance(discriminator, dict) and "mapping" in discriminator:
        for reference in discriminator["mapping"].values():
            definition = definitions[reference.rpartition("/")[2]]
            required = definition.setdefault("required", [])
            if discriminator["propertyName"] not in required:
                required.insert(0, discriminator["propertyName"])
    for item in value.values():
        _require_tags(item, definitions)
