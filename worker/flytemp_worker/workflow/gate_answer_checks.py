"""Checks of answers to gates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, ParamSpec, TypeVar

from pydantic import TypeAdapter
from temporalio import workflow
from temporalio.exceptions import ApplicationError

from flytemp.errors import AlreadyExists, FlytempBug, FlytempError, InputError, LimitExceeded, NotFound, TypeMismatch
from flytemp.literals.allowed_uris import AllowedUris
from flytemp.literals.check import check_external
from flytemp.literals.sizes import INLINE_BYTES
from flytemp.literals.types import Json, LiteralType
from flytemp.protocol.message import UNSET
from flytemp.protocol.workflow import AnswerRequest
from flytemp_activities.application_errors import bounded
from flytemp_activities.executions import inline_bytes
from flytemp_worker.engine.machine import Engine
from flytemp_worker.engine.plan import GraphPlan, NodePlan

_TYPES: TypeAdapter[LiteralType] = TypeAdapter(LiteralType)

MAX_REASON_BYTES = 40_000
"""Maximum length of the JSON of an answer beside its value: the gate, the user and the reason, with escaped characters."""

MAX_ANSWERS_BYTES = 1_000_000
"""Maximum length of the JSON of all answers of an execution."""

P = ParamSpec("P")
R = TypeVar("R")


def as_application_error(check: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Return the result of ``check``.

    Raises:
        ApplicationError: for a `FlytempError`. It is not retryable; its type is the error's code, and its detail the hint.
            Another exception of a check is also one, because it would block the workflow task.
    """
    try:
        return check(*args, **kwargs)
    except FlytempError as error:
        hint = [bounded(error.hint)] if error.hint else []
        raise ApplicationError(bounded(error.message), *hint, type=error.code, non_retryable=True) from None
    except Exception as error:  # noqa: BLE001 - it would block the workflow task
        workflow.logger.exception("a request cannot be checked")
        message = bounded(f"the request cannot be checked: {type(error).__name__}: {error}")
        raise ApplicationError(message, type=FlytempBug.code, non_retryable=True) from None


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
        InputError: the request has not exactly one of value and approval, or its value names a URI that is not allowed.
        LimitExceeded: the value, or the sum of the answers to the execution, is too long.
        NotFound: the execution has no such gate.
        TypeMismatch: the gate needs the other kind of answer, or a value of another type.
        AlreadyExists: the gate has an answer.
    """
    gate = request.gate
    if not gate or (request.value is UNSET) == (request.approved is UNSET):
        hint = 'for instance {"gate": "release", "approved": true} or {"gate": "threshold", "value": 3}'
        raise InputError("an answer needs a gate and either a value or an approval", hint=hint)
    known = _gates(engine, gate)
    if not known:
        if _may_appear(engine):
            _check_size(engine, request)
            return
        names = sorted({plan["name"] for plan in _all_gates(engine)})
        children = "; its child executions have their own" if any(n.kind == "launch_plan" for n in engine.nodes()) else ""
        raise NotFound(f"the execution has no gate {gate!r}", hint=f"its gates: {', '.join(names) or 'none'}{children}")
    wanted = "approve" if request.approved is not UNSET else "input"
    if not any(plan["kind"] == wanted for plan in known):
        if wanted == "approve":
            raise TypeMismatch(f"the gate {gate!r} needs a value, not an approval", hint="use set-input")
        raise TypeMismatch(f"the gate {gate!r} needs an approval, not a value", hint="use approve or reject")
    if _is_answered(engine, gate):
        raise AlreadyExists(f"the gate {gate!r} already has an answer", hint="flytemp get execution shows the answer")
    if wanted == "input":
        checked_value(engine, request)
    _check_size(engine, request)


def _check_size(engine: Engine, request: AnswerRequest) -> None:
    """Check the size of all answers: each chunk of a map gets them in its argument, for which Temporal's limit is 2 MiB."""
    size = inline_bytes(request.to_json())
    if size > INLINE_BYTES + MAX_REASON_BYTES:
        _refuse_length(INLINE_BYTES)
    if inline_bytes(engine.answers) + size > MAX_ANSWERS_BYTES:
        raise LimitExceeded(
            f"the answers to the gates of the execution measure more than {MAX_ANSWERS_BYTES} bytes",
            hint="write large values to files and pass their URIs as FlyteFile",
        )


def _refuse_length(limit: int) -> NoReturn:
    raise LimitExceeded(f"the value is longer than {limit} bytes", hint="write it to a file and pass its URI as a FlyteFile")


def _is_answered(engine: Engine, gate: str) -> bool:
    node = engine.by_path.get(gate)
    if node is not None:
        return getattr(node.state, "answer", None) is not None
    is_waiting = any((node.plan.gate or {})["name"] == gate for node in engine.waiting.values())
    return gate in engine.answers and not is_waiting


def checked_value(engine: Engine, request: AnswerRequest) -> Json:
    """Return the value of an answer as a literal of the gate's type, unchanged if the gate does not exist yet.

    Raises:
        LimitExceeded: the value is too long.
        InputError: the value names a URI that is not allowed.
        TypeMismatch: the value has another type.
    """
    value = request.value
    if inline_bytes(value) > INLINE_BYTES:
        _refuse_length(INLINE_BYTES)
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
