"""What each kind of node takes and gives."""

from __future__ import annotations

from flytemp.errors import CorruptData
from flytemp.literals.types import ListType, LiteralType, SimpleType, StructField, StructType, UnionType
from flytemp.spec.models import GateSpec, Interface, MapSpec, NodeSpec, Variable, WorkflowDocument, WorkflowSpec

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
_EMPTY = Interface()


def interface_of(document: WorkflowDocument, spec: WorkflowSpec, node: NodeSpec) -> Interface:
    """What ``node`` takes and gives: for a map lists, for a gate what is answered, for a branch what it declares.

    Raises:
        CorruptData: when the document lacks what the node calls, or the node lacks the field of its kind.
    """
    interface = known_interface(document, node)
    if interface is None:
        raise corrupt(spec.name, f"its node {node.id} {lacking(node)}")
    return interface


def known_interface(document: WorkflowDocument, node: NodeSpec) -> Interface | None:
    """As `interface_of`; None where that raises."""
    if node.kind == "sleep":
        return _EMPTY
    if node.kind == "gate":
        return None if node.gate is None else _of_gate(node.gate)
    if node.kind == "branch":
        return None if node.branch is None else Interface(outputs=node.branch.outputs)
    if node.kind == "map":
        called = None if node.map is None else callee_interface(document, node.map.kind, node.target)
        return None if node.map is None or called is None else _of_map(node.map, called)
    return callee_interface(document, node.kind, node.target)


def lacking(node: NodeSpec) -> str:
    """Why a node has no interface: "calls the task 'x', which the document lacks"."""
    if node.kind in ("gate", "branch") or (node.kind == "map" and node.map is None):
        return f"is a {node.kind} and lacks its field {node.kind!r}"
    kind = node.map.kind if node.map is not None else node.kind
    return f"calls the {kind.replace('_', ' ')} {node.target!r}, which the document lacks"


def callee_interface(document: WorkflowDocument, kind: str, target: str) -> Interface | None:
    """The interface of what a node of the kind calls; None when there is none."""
    if kind in ("task", "dynamic"):
        entry = document.tasks.get(target)
        return None if entry is None else entry.interface
    if kind == "workflow":
        workflow = document.workflows.get(target)
        return None if workflow is None else workflow.interface
    if kind == "launch_plan":
        plan = document.launch_plans.get(target)
        return None if plan is None else plan.interface
    return None


def optional(type_: LiteralType) -> LiteralType:
    """``T | None``, as Python's annotations give it: None is the last variant, and is there once."""
    variants = type_.variants if isinstance(type_, UnionType) else (type_,)
    if any(variant.kind == "none" for variant in variants):
        return type_
    return UnionType(variants=(*variants, _NONE))


def may_lack_items(map_: MapSpec) -> bool:
    """Whether the node succeeds although some of its calls failed: its outputs are lists with null for those."""
    return map_.min_success_ratio < 1 or map_.min_successes is not None


def _of_map(map_: MapSpec, called: Interface) -> Interface:
    over = set(map_.over)
    lacks = may_lack_items(map_)
    return Interface(
        inputs=tuple(_list_of(variable) if variable.name in over else variable for variable in called.inputs),
        outputs=tuple(_list_of(variable, lacks) for variable in called.outputs),
    )


def _list_of(variable: Variable, lacks: bool = False) -> Variable:
    item = optional(variable.type) if lacks else variable.type
    return Variable(name=variable.name, type=ListType(item=item), description=variable.description)


def _of_gate(gate: GateSpec) -> Interface:
    type_ = gate.type or _ANY
    inputs = (Variable(name=APPROVED, type=type_),) if gate.kind == "approve" else ()
    return Interface(inputs=inputs, outputs=(Variable(name=ANSWER, type=type_),))


def corrupt(workflow: str, reason: str) -> CorruptData:
    return CorruptData(
        f"the document of workflow {workflow} cannot run: {reason}",
        hint="it was not compiled by flytemp, or changed since: register the program again",
    )
