"""Published JSON Schemas."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel

from flytemp.records.launch import LaunchRequest
from flytemp.records.models import Execution
from flytemp.spec.schema import DIALECT, json_schema


def spec() -> str:
    """Return the schema of a registered document."""
    return _text(json_schema())


def launch() -> str:
    """Return the schema of the input of the workflow type ``FlytempWorkflow``."""
    return _text(_model(LaunchRequest, "flytemp launch request", "validation"))


def execution() -> str:
    """Return the schema of an execution as in `flytemp get execution -o json`, the client and the record."""
    return _text(_model(Execution, "flytemp execution", "serialization"))


def _model(model: type[BaseModel], title: str, mode: Any) -> dict[str, Any]:
    return {"$schema": DIALECT, **model.model_json_schema(mode=mode), "title": title}


def _text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
