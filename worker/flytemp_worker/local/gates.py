"""Gates of local runs, which are answered at the terminal."""

from __future__ import annotations

import sys
from typing import Any

from pydantic import TypeAdapter

from flytemp.errors import InputError
from flytemp.literals.describe import describe_type
from flytemp.literals.text import parse_text
from flytemp.literals.types import Json, LiteralType


def ask_at_terminal(gate: dict[str, Any], value: Json) -> dict[str, Json]:
    """Ask flytekit's question for a gate, and return the answer.

    Raises:
        InputError: there is no answer, or its value has another type.
    """
    name = gate["name"]
    if gate["kind"] == "approve":
        answer = _asked(f"[Approval Gate] @{name} Approve {value}? [y/N]: ")
        return {"approved": answer.strip().lower() in ("y", "yes"), "reason": ""}
    type_: LiteralType = TypeAdapter(LiteralType).validate_python(gate["type"])
    return {"value": parse_text(_asked(f"[Input Gate] Waiting for input @{name} of type {describe_type(type_)}: "), type_)}


def _asked(question: str) -> str:
    print(question, end="", flush=True)
    answer = sys.stdin.readline()
    if not answer:
        hint = "run it in a terminal, or launch it and answer with flytemp approve or flytemp set-input"
        raise InputError(f"standard input ended before the answer to: {question.strip()}", hint=hint)
    return answer.rstrip("\n")
