"""What people and programs ask of a running execution: answers to gates, pause and resumption, another try.

A request that comes before the plan is loaded waits for it. What makes no sense is refused, by a validator where the plan
is there: then it leaves nothing in history.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from temporalio import workflow

from flytemp.errors import AlreadyExists, InputError, NotFound, TypeMismatch
from flytemp.literals.sizes import INLINE_BYTES
from flytemp_worker.engine import (
    Engine,
    GateAnswered,
    PauseRequested,
    ResumeRequested,
    RetryRequested,
    SlotsReleased,
)
from flytemp_worker.engine.kinds.gates import fits
from flytemp_worker.engine.manual_retry import nodes_to_retry
from flytemp_worker.engine.plan import GraphPlan, NodePlan
from flytemp_worker.workflow.errors import as_application_error
from flytemp_worker.workflow.gates import as_input

if TYPE_CHECKING:
    from flytemp_worker.workflow.runner import WorkflowRunner


class MessageHandlers:
    """Between the workflow's handlers and its shell."""

    def __init__(self) -> None:
        self._shell: WorkflowRunner | None = None
        self._early: list[Callable[[WorkflowRunner], None]] = []  # what was said before the shell was there

    def open(self, shell: WorkflowRunner) -> None:
        self._shell = shell
        for said in self._early:
            said(shell)

    def _hear(self, said: Callable[[WorkflowRunner], None]) -> None:
        if self._shell is None:
            self._early.append(said)
        else:
            said(self._shell)

    async def _ready(self) -> WorkflowRunner:
        await workflow.wait_condition(lambda: self._shell is not None and self._shell.ready)
        assert self._shell is not None
        return self._shell

    def _engine(self) -> Engine | None:
        return self._shell.engine if self._shell is not None and self._shell.ready else None

    # ------------------------------------------------------------------------------------- gates

    def check_answer(self, request: dict[str, Any]) -> None:
        """
        Raises:
            ApplicationError: the answer can be refused already.
        """
        engine = self._engine()
        if engine is not None:
            as_application_error(_check_answer, engine, request)

    async def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        shell = await self._ready()
        engine = shell.engine
        as_application_error(_check_answer, engine, request)
        gate = request["gate"]
        answer: dict[str, Any] = {"by": str(request.get("by") or ""), "at": workflow.time_ns() // 1_000_000}
        if "approved" in request:
            answer.update(approved=request["approved"], reason=request.get("reason") or "")
        else:
            answer["value"] = _checked_value(engine, request)
        named = [path for path, node in engine.waiting.items() if gate in (path, (node.plan.gate or {})["name"])]
        nodes = [path for path in named if fits(engine, engine.waiting[path], answer)]
        shell.hear(GateAnswered(gate, answer))
        return {"nodes": nodes}

    # ---------------------------------------------------------------------------- pause and retry

    async def pause(self, request: dict[str, Any]) -> dict[str, Any]:
        shell = await self._ready()
        shell.hear(PauseRequested(str(request.get("by") or ""), str(request.get("reason") or "")))
        return {}

    async def resume(self, request: dict[str, Any]) -> dict[str, Any]:
        shell = await self._ready()
        shell.hear(ResumeRequested(str(request.get("by") or "")))
        return {}

    def check_retry(self, request: dict[str, Any]) -> None:
        """
        Raises:
            ApplicationError: nothing can be tried again.
        """
        engine = self._engine()
        if engine is not None:
            as_application_error(nodes_to_retry, engine, tuple(request.get("nodes") or ()))

    async def retry(self, request: dict[str, Any]) -> dict[str, Any]:
        shell = await self._ready()
        nodes = tuple(request.get("nodes") or ())
        found = as_application_error(nodes_to_retry, shell.engine, nodes)
        shell.hear(RetryRequested(nodes))
        return {"nodes": [node.path for node in found]}

    # ---------------------------------------------------------------------------------- relatives

    def child_closed(self, message: dict[str, Any]) -> None:
        """A child's word that it is over."""
        self._hear(lambda shell: shell.relatives.on_closed(message))

    def part_gave_back(self, message: dict[str, Any]) -> None:
        """The word of a part of a map that it needs less."""
        gave_back = SlotsReleased(message["node"], message["part"], message["attempt"], message["width"])
        self._hear(lambda shell: shell.hear(gave_back))

    def told(self, message: dict[str, Any]) -> None:
        """The parent's word to a part of a map."""
        if "answer" in message:
            answer = dict(message["answer"])
            gate = answer.pop("gate")
            self._hear(lambda shell: shell.hear(GateAnswered(gate, answer)))
        elif "pause" in message:
            pause = PauseRequested(message["pause"]["by"], message["pause"]["reason"])
            self._hear(lambda shell: shell.hear(pause))
        elif "resume" in message:
            resume = ResumeRequested(message["resume"]["by"])
            self._hear(lambda shell: shell.hear(resume))
        elif "width" in message:
            self._hear(lambda shell: shell.more_lent(message["width"]))


def _check_answer(engine: Engine, request: dict[str, Any]) -> None:
    gate = request.get("gate")
    if not isinstance(gate, str) or not gate or ("value" in request) == ("approved" in request):
        hint = 'for instance {"gate": "release", "approved": true} or {"gate": "threshold", "value": 3}'
        raise InputError("an answer has a gate and either a value or approved", hint=hint)
    known = _gates(engine, gate)
    if not known:
        if _may_come(engine):
            return
        names = sorted({plan["name"] for plan in _all_gates(engine)})
        children = " and its child executions have their own" if any(n.kind == "launch_plan" for n in engine.nodes()) else ""
        raise NotFound(f"there is no gate {gate!r}", hint=f"its gates are {', '.join(names) or 'none'}{children}")
    wanted = "approve" if "approved" in request else "input"
    if not any(plan["kind"] == wanted for plan in known):
        other = "it waits for an input: set-input" if wanted == "approve" else "it waits for an approval: approve or reject"
        raise TypeMismatch(f"the gate {gate!r} takes no {'approval' if wanted == 'approve' else 'value'}", hint=other)
    if wanted == "approve" and not isinstance(request["approved"], bool):
        raise TypeMismatch("approved must be true or false", hint="in JSON, without quotes")
    node = engine.by_path.get(gate)
    if (node is not None and "answer" in node.extra) or (node is None and gate in engine.answers and _one_only(engine, gate)):
        raise AlreadyExists(f"the gate {gate!r} was answered already", hint="flytemp get execution shows by whom")
    if wanted == "input":
        _checked_value(engine, request)


def _one_only(engine: Engine, name: str) -> bool:
    """Whether no gate of the name waits any more."""
    return not any((node.plan.gate or {})["name"] == name for node in engine.waiting.values())


def _checked_value(engine: Engine, request: dict[str, Any]) -> Any:
    """The value as a literal of the gate's type; what no gate is known for yet is taken as it is, and checked later."""
    value = request["value"]
    if len(repr(value)) > INLINE_BYTES:
        raise InputError(
            f"the value is longer than {INLINE_BYTES} bytes", hint="write it to a file and give its URI, as a FlyteFile"
        )
    for gate in _gates(engine, request["gate"]):
        if gate["kind"] == "input":
            value = as_input(gate, value)
    return value


def _gates(engine: Engine, gate: str) -> list[dict[str, Any]]:
    """The gates that the text names, by a path or a name."""
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


def _may_come(engine: Engine) -> bool:
    """Whether a dynamic has yet to make its graph, in which there may be gates, or a part of a map holds its own."""
    kinds = {kind for graph in engine.plan.graphs.values() for node in _nodes(graph) for kind in _kinds(node)}
    return bool(kinds & {"dynamic"}) or any("parts" in node.extra for node in engine.nodes() if node.kind == "map")


def _kinds(node: NodePlan) -> set[str]:
    return {node.kind} if node.map is None else {node.kind, node.map.item.kind}
