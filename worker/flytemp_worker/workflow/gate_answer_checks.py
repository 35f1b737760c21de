"""Checks of answers to gates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from pydantic import TypeAdapter
from temporalio.exceptions import ApplicationError

from flytemp.errors import AlreadyExists, FlytempError, InputError, NotFound, TypeMismatch
from flytemp.literals.allowed_uris import AllowedUris
from flytemp.literals.check import check_external
from flytemp.literals.sizes import INLINE_BYTES
from flytemp.literals.types import Json, LiteralType
from flytemp.protocol.message import UNSET
from flytemp.protocol.workflow import AnswerRequest
from flytemp_worker.engine.machine import Engine
from flytemp_worker.engine.plan import GraphPlan, NodePlan

_TYPES: TypeAdapter[LiteralType] = TypeAdapter(LiteralType)

P = ParamSpec("P")
R = TypeVar("R")


def as_application_error(check: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Return the result of ``check``.

    Raises:
        ApplicationError: for a `FlytempError`. It is not retryable; its type is the error's code, and its detail the hint.
    """
    try:
        return check(*args, **kwargs)
    except FlytempError as error:
        hint = [error.hint] if error.hint else []
        raise ApplicationError(error.message, *hint, type=error.code, non_retryable=True) from error


def gate_conversion(allowed: AllowedUris) -> Callable[[dict[str, Any], Json], Json]:
    """Return a function of the gate of a plan and of an answer's value, which returns the value as a literal of the gate's type.

    The function raises `TypeMismatch` for a value of another type, and `InputError` for a file at a URI that is not allowed.
    """

    def convert(gate: dict[str, Any], value: Json) -> Json:
        if gate["type"] is None:
            return value
        type_ = _TYPES.validate_python(gate["type"])
        literal = check_external(value, type_)
        allowed.check_literals({gate["name"]: literal}, {gate["name"]: type_}, "gate")
        return literal

    return convert


def check_answer(engine: Engine, request: AnswerRequest) -> None:
    """Check an answer against the gates of the execution.

    Raises:
        InputError: the request has not exactly one of value and approval, or its value is too long or names a URI that is not
            allowed.
        NotFound: the execution has no such gate.
        TypeMismatch: the gate needs the other kind of answer, or a value of another type.
        AlreadyExists: the gate has an answer.
    """
    gate = request.gate
    if not isinstance(gate, str) or not gate or (request.value is UNSET) == (request.approved is UNSET):
        hint = 'for instance {"gate": "release", "approved": true} or {"gate": "threshold", "value": 3}'
        raise InputError("an answer needs a gate and either a value or an approval", hint=hint)
    known = _gates(engine, gate)
    if not known:
        if _may_appear(engine):
            return
        names = sorted({plan["name"] for plan in _all_gates(engine)})
        children = "; its child executions have their own" if any(n.kind == "launch_plan" for n in engine.nodes()) else ""
        raise NotFound(f"the execution has no gate {gate!r}", hint=f"its gates: {', '.join(names) or 'none'}{children}")
    wanted = "approve" if request.approved is not UNSET else "input"
    if not any(plan["kind"] == wanted for plan in known):
        if wanted == "approve":
            raise TypeMismatch(f"the gate {gate!r} needs a value, not an approval", hint="use set-input")
        raise TypeMismatch(f"the gate {gate!r} needs an approval, not a value", hint="use approve or reject")
    if wanted == "approve" and not isinstance(request.approved, bool):
        raise TypeMismatch("approved must be true or false", hint="in JSON, without quotes")
    if _is_answered(engine, gate):
        raise AlreadyExists(f"the gate {gate!r} already has an answer", hint="flytemp get execution shows the answer")
    if wanted == "input":
        checked_value(engine, request)


def _is_answered(engine: Engine, gate: str) -> bool:
    node = engine.by_path.get(gate)
    if node is not None:
        return getattr(node.state, "answer", None) is not None
    is_waiting = any((node.plan.gate or {})["name"] == gate for node in engine.waiting.values())
    return gate in engine.answers and not is_waiting


def checked_value(engine: Engine, request: AnswerRequest) -> Json:
    """Return the value of an answer as a literal of the gate's type, unchanged if the gate does not exist yet.

    Raises:
        InputError: the value is too long, or names a URI that is not allowed.
        TypeMismatch: the value has another type.
    """
    value = request.value
    if len(repr(value)) > INLINE_BYTES:
        raise InputError(
            f"the value is longer than {INLINE_BYTES} bytes", hint="write it to a file and pass its URI as a FlyteFile"
        )
    for gate in _gates(engine, request.gate):
        if gate["kind"] == "input":
            value = engine.convert(gate, value)
    return value


def _gates(engine: Engine, gate: str) -> list[dict[str, Any]]:
    """Return the gates that have this path or name."""
    node = engine.by_path.get(gate)
    if node is not None:
        return [node.plan.gate] if node.plan.gate else []
    return [plan for plan in _all_gates(engine) if plan["name"] == gate]


def _all_gates(engine: Engine) -> list[dict[str, Any]]:
    return [plan.gate for graph in engine.plan.graphs.values() for plan in _nodes(graph) if plan.gate]


def _nodes(graph: GraphPlan) -> list[NodePlan]:
    found: list[NodePlan] = []
    pending = list(graph.nodes)
    while pending:
        node = pending.pop()
        found.append(node)
        if node.branch is not None:
            pending += node.branch.graph.nodes
    return found


def _may_appear(engine: Engine) -> bool:
    """Return True if a gate may exist that the engine has not seen: in the graph of a dynamic node, or in a chunk of a map."""
    kinds = {kind for graph in engine.plan.graphs.values() for node in _nodes(graph) for kind in _kinds(node)}
    return "dynamic" in kinds or bool(engine.capacity.allocated or engine.capacity.chunks)


def _kinds(node: NodePlan) -> set[str]:
    return {node.kind} if node.map is None else {node.kind, node.map.item.kind}
