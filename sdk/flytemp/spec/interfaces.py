"""Types and names in the interfaces of nodes."""

from __future__ import annotations

from flytemp.literals.types import ListType, LiteralType, SimpleType, StructField, StructType, UnionType
from flytemp.spec.models import GateSpec, Interface, MapSpec, Variable

APPROVED = "value"
"""The input of an approval."""
ANSWER = "o0"
"""The output of a gate."""
_TEXT = SimpleType(kind="string")
ERROR = StructType(
    name="FlyteError", fields=(StructField(name="message", type=_TEXT), StructField(name="failed_node_id", type=_TEXT))
)
"""The type of an `ErrorBinding`."""

_NONE = SimpleType(kind="none")
_ANY = SimpleType(kind="any")


def map_interface(spec: MapSpec, called: Interface) -> Interface:
    """Return the interface of a map over calls with the interface ``called``: lists of the inputs and outputs of the calls."""
    over = set(spec.over)
    lacks = may_lack_items(spec)
    return Interface(
        inputs=tuple(_list_of(variable) if variable.name in over else variable for variable in called.inputs),
        outputs=tuple(_list_of(variable, lacks) for variable in called.outputs),
    )


def gate_interface(gate: GateSpec) -> Interface:
    """Return the interface of a gate: the value to approve, and the answer."""
    type_ = gate.type or _ANY
    inputs = (Variable(name=APPROVED, type=type_),) if gate.kind == "approve" else ()
    return Interface(inputs=inputs, outputs=(Variable(name=ANSWER, type=type_),))


def may_lack_items(spec: MapSpec) -> bool:
    """Return True if a map can succeed with failed calls: its outputs are lists that have null for these."""
    return spec.min_success_ratio < 1 or spec.min_successes is not None


def optional(type_: LiteralType) -> LiteralType:
    """Return ``T | None`` in the form of Python's annotations: None is the last variant and occurs once."""
    variants = type_.variants if isinstance(type_, UnionType) else (type_,)
    if any(variant.kind == "none" for variant in variants):
        return type_
    return UnionType(variants=(*variants, _NONE))


def _list_of(variable: Variable, lacks: bool = False) -> Variable:
    item = optional(variable.type) if lacks else variable.type
    return Variable(name=variable.name, type=ListType(item=item), description=variable.description)
