"""Short notation for the documents of the engine's tests; `reference_interpreter` evaluates them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from flytemp.literals.types import SimpleType
from flytemp.spec.models import (
    Backoff,
    Binding,
    BranchCase,
    BranchSpec,
    Comparison,
    Condition,
    ErrorBinding,
    GateSpec,
    InputBinding,
    Interface,
    LaunchPlanReference,
    ListBinding,
    LiteralBinding,
    MapBinding,
    MapSpec,
    NodeSpec,
    OutputBinding,
    Retries,
    TaskSettings,
    TaskSpec,
    Variable,
    WorkflowDocument,
    WorkflowSpec,
)

Json = Any
Policy = Literal["fail-immediately", "fail-after-executable-nodes-complete"]
Kind: TypeAlias = Literal["task", "workflow", "launch_plan", "dynamic"]
AT_ONCE: Policy = "fail-immediately"
AT_THE_END: Policy = "fail-after-executable-nodes-complete"

ANY = SimpleType(kind="any")


def variables(*names: str) -> tuple[Variable, ...]:
    return tuple(Variable(name=name, type=ANY) for name in names)


def task(
    name: str,
    *inputs: str,
    retries: int = 0,
    backoff: Backoff | None = None,
    deadline: float | None = None,
    dynamic: bool = False,
) -> TaskSpec:
    """Return a task with outputs ``x`` and ``s``."""
    settings = TaskSettings(retries=Retries(count=retries, backoff=backoff or Backoff(jitter=False)), deadline_seconds=deadline)
    interface = Interface(inputs=variables(*inputs), outputs=variables("x", "s"))
    kind: Literal["python", "dynamic"] = "dynamic" if dynamic else "python"
    return TaskSpec(kind=kind, name=name, interface=interface, loader=f"program:{name}", settings=settings)


def launch_plan(name: str, *inputs: str) -> LaunchPlanReference:
    """Return a launch plan with outputs ``x`` and ``s``."""
    return LaunchPlanReference(name=name, interface=Interface(inputs=variables(*inputs), outputs=variables("x", "s")))


def bind(value: Json | Binding) -> Binding:
    """Return the value if it is a binding, else a literal of it."""
    if isinstance(value, LiteralBinding | InputBinding | OutputBinding | ErrorBinding | ListBinding | MapBinding):
        return value
    return LiteralBinding(value=value)


def out(node: str, var: str = "x", *path: str | int) -> OutputBinding:
    return OutputBinding(node=node, var=var, path=path)


def given(var: str, *path: str | int) -> InputBinding:
    return InputBinding(var=var, path=path)


def several(*items: Json | Binding) -> ListBinding:
    return ListBinding(items=tuple(bind(item) for item in items))


def node(id: str, target: str, *after: str, sub: bool = False, kind: Kind | None = None, **inputs: Json | Binding) -> NodeSpec:
    """Return a call of a task; of a sub-workflow with ``sub``, or of another ``kind``."""
    bindings = {var: bind(value) for var, value in inputs.items()}
    return NodeSpec(id=id, kind=kind or ("workflow" if sub else "task"), target=target, inputs=bindings, after=after)


def mapped(id: str, target: str, *after: str, over: tuple[str, ...] = ("a",), of: Kind = "task", how: MapSpec | None = None,
           **inputs: Json | Binding) -> NodeSpec:  # fmt: skip
    """Return a map; ``how`` has its other settings."""
    spec = (how or MapSpec(over=())).model_copy(update={"over": over, "kind": of})
    bindings = {var: bind(value) for var, value in inputs.items()}
    return NodeSpec(id=id, kind="map", target=target, inputs=bindings, after=after, map=spec)


def spread(**settings: Any) -> MapSpec:
    """Return the settings of a map."""
    return MapSpec(over=(), **settings)


def is_(left: Json | Binding, operator: Any, right: Json | Binding) -> Comparison:
    return Comparison(operator=operator, left=bind(left), right=bind(right), type="any")


def branch(id: str, *cases: tuple[Condition | None, NodeSpec | str], outputs: tuple[str, ...] = ("x", "s")) -> NodeSpec:
    """Return a conditional, from conditions with nodes or with messages of failures."""
    listed = tuple(
        BranchCase(condition=condition, fail=then) if isinstance(then, str) else BranchCase(condition=condition, node=then)
        for condition, then in cases
    )
    return NodeSpec(id=id, kind="branch", branch=BranchSpec(cases=listed, outputs=variables(*outputs)))


def approval(id: str, name: str, *after: str, value: Json | Binding = None, timeout: float | None = None) -> NodeSpec:
    gate = GateSpec(kind="approve", name=name, timeout_seconds=timeout)
    return NodeSpec(id=id, kind="gate", gate=gate, after=after, inputs={"value": bind(value)})


def asked(id: str, name: str, *after: str, timeout: float | None = None) -> NodeSpec:
    """Return a gate that waits for an input."""
    return NodeSpec(id=id, kind="gate", gate=GateSpec(kind="input", name=name, type=ANY, timeout_seconds=timeout), after=after)


def sleep(id: str, seconds: float, *after: str) -> NodeSpec:
    return NodeSpec(id=id, kind="sleep", sleep_seconds=seconds, after=after)


def workflow(
    name: str,
    *nodes: NodeSpec,
    inputs: tuple[str, ...] = (),
    outputs: Mapping[str, Json | Binding] | None = None,
    policy: Policy = AT_ONCE,
    on_failure: NodeSpec | None = None,
    timeout: float | None = None,
) -> WorkflowSpec:
    bindings = {var: bind(value) for var, value in (outputs or {}).items()}
    return WorkflowSpec(
        name=name,
        interface=Interface(inputs=variables(*inputs), outputs=variables(*bindings)),
        nodes=nodes,
        outputs=bindings,
        failure_policy=policy,
        on_failure=on_failure,
        timeout_seconds=timeout,
    )


def document(root: WorkflowSpec, *chunks: WorkflowSpec | TaskSpec | LaunchPlanReference) -> WorkflowDocument:
    return WorkflowDocument(
        name=root.name,
        workflows={chunk.name: chunk for chunk in (root, *chunks) if isinstance(chunk, WorkflowSpec)},
        tasks={chunk.name: chunk for chunk in chunks if isinstance(chunk, TaskSpec)},
        launch_plans={chunk.name: chunk for chunk in chunks if isinstance(chunk, LaunchPlanReference)},
    )
