"""Agreement of the published JSON Schema with the models."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from flytemp.spec import models
from flytemp.spec.schema import DIALECT, json_schema


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from _objects(item)
    elif isinstance(value, list):
        for item in value:
            yield from _objects(item)


def test_schema_is_plain_json_and_deterministic() -> None:
    assert json.loads(json.dumps(json_schema())) == json_schema()
    assert json_schema()["$schema"] == DIALECT


def test_every_reference_has_a_definition() -> None:
    schema = json_schema()
    references = {item["$ref"] for item in _objects(schema) if "$ref" in item}
    assert references
    assert {reference.removeprefix("#/$defs/") for reference in references} <= set(schema["$defs"])


def test_document_is_one_of_three_kinds() -> None:
    schema = json_schema()
    assert schema["discriminator"]["propertyName"] == "kind"
    kinds = {}
    for choice in schema["oneOf"]:
        definition = schema["$defs"][choice["$ref"].rpartition("/")[2]]
        assert "kind" in definition["required"]
        kinds[definition["properties"]["kind"]["const"]] = definition["title"]
    assert kinds == {
        "task": "TaskDocument",
        "workflow": "WorkflowDocument",
        "launch_plan": "LaunchPlanDocument",
    }


def test_discriminators_are_required() -> None:
    definitions = json_schema()["$defs"]
    for name in ("LiteralBinding", "InputBinding", "OutputBinding", "ErrorBinding", "ListBinding", "MapBinding"):
        assert "kind" in definitions[name]["required"]
    for name in ("Comparison", "Junction"):
        assert "kind" in definitions[name]["required"]
    for name in ("ListType", "StructType", "UnionType", "SimpleType", "BlobType"):
        assert "kind" in definitions[name]["required"]


def test_unknown_fields_are_refused_like_by_the_models() -> None:
    definitions = json_schema()["$defs"]
    records = [item for item in definitions.values() if item.get("type") == "object"]
    assert all(item["additionalProperties"] is False for item in records)
    assert models.WorkflowDocument.__name__ in {item["title"] for item in records}
