"""Values that are given to gates: checked against the type that the gate waits for."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from flytemp.literals.check import check_literal
from flytemp.literals.types import Json, LiteralType

_TYPES: TypeAdapter[LiteralType] = TypeAdapter(LiteralType)


def as_input(gate: dict[str, Any], value: Json) -> Json:
    """The value as a literal of the gate's type; ``gate`` is the plan's.

    Raises:
        TypeMismatch: it is of another type.
    """
    return value if gate["type"] is None else check_literal(value, _TYPES.validate_python(gate["type"]))
