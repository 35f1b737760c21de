"""Gates of local runs, which are answered at the terminal."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from flytemp.authoring.terminal import ask_approval, ask_value
from flytemp.literals.describe import describe_type
from flytemp.literals.types import Json, LiteralType


def ask_at_terminal(gate: dict[str, Any], value: Json) -> dict[str, Json]:
    """Ask flytekit's question for a gate, and return the answer.

    Raises:
        InputError: standard input ended without a valid answer.
    """
    name = gate["name"]
    if gate["kind"] == "approve":
        return {"approved": ask_approval(name, value), "reason": ""}
    type_: LiteralType = TypeAdapter(LiteralType).validate_python(gate["type"])
    return {"value": ask_value(name, describe_type(type_), type_)}
