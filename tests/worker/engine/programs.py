"""Short notation for the documents that the engine's tests run, and what they mean in plain Python."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from flytemp.literals.types import SimpleType
from flytemp.spec.models import (
    Backoff,
    Binding,
    InputBinding,
    Interface,
    ListBinding,
    LiteralBinding,
    MapBinding,
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
AT_ONCE: Policy = "fail-immediately"
AT_THE_END: Policy = "fail-after-executable-nodes-complete"

ANY = SimpleType(kind="any")


def variables(*names: str) -> tuple[Variable, ...]:
    return tuple(Variable(name=name, type=ANY) for name in names)


def task(name: str, *inputs: str, retries: int = 0, backoff: Backoff | None = None) -> TaskSpec:
    """A task with outputs ``x`` and ``s``."""
    settings = TaskSettings(retries=Retries(count=retries, backoff=backoff or Backoff(jitter=False)))
    interface = Interface(inputs=variables(*inputs), outputs=variables("x", "s"))
    return TaskSpec(name=name, interface=interface, loader=f"program:{name}", settings=settings)


def bind(value: Json | Binding) -> Binding:
    """What it is, if it is a binding; else the literal."""
    if isinstance(value, LiteralBinding | InputBinding | OutputBinding | ListBinding | MapBinding):
        return value
    return LiteralBinding(value=value)


def out(node: str, var: str = "x", *path: str | int) -> OutputBinding:
    return OutputBinding(node=node, var=var, path=path)


def given(var: str, *path: str | int) -> InputBinding:
    return InputBinding(var=var, path=path)


def several(*items: Json | Binding) -> ListBinding:
    return ListBinding(items=tuple(bind(item) for item in items))


def node(id: str, target: str, *after: str, sub: bool = False, **inputs: Json | Binding) -> NodeSpec:
    """A call of a task, or with ``sub`` of a sub-workflow."""
    bindings = {var: bind(value) for var, value in inputs.items()}
    return NodeSpec(id=id, kind="workflow" if sub else "task", target=target, inputs=bindings, after=after)


def workflow(
    name: str,
    *nodes: NodeSpec,
    inputs: tuple[str, ...] = (),
    outputs: Mapping[str, Json | Binding] | None = None,
    policy: Policy = AT_ONCE,
) -> WorkflowSpec:
    bindings = {var: bind(value) for var, value in (outputs or {}).items()}
    interface = Interface(inputs=variables(*inputs), outputs=variables(*bindings))
    return WorkflowSpec(name=name, interface=interface, nodes=nodes, outputs=bindings, failure_policy=policy)


def document(root: WorkflowSpec, *parts: WorkflowSpec | TaskSpec) -> WorkflowDocument:
    return WorkflowDocument(
        name=root.name,
        workflows={part.name: part for part in (root, *parts) if isinstance(part, WorkflowSpec)},
        tasks={part.name: part for part in parts if isinstance(part, TaskSpec)},
    )


# ------------------------------------------------------------------------------------ what it means


def needs(spec: NodeSpec) -> set[str]:
    """The nodes that must have succeeded before this one starts."""
    return {*spec.after, *(source.node for binding in spec.inputs.values() for source in _outputs_in(binding))}


def _outputs_in(binding: Binding) -> Iterator[OutputBinding]:
    if isinstance(binding, OutputBinding):
        yield binding
    elif isinstance(binding, ListBinding):
        for item in binding.items:
            yield from _outputs_in(item)
    elif isinstance(binding, MapBinding):
        for item in binding.entries.values():
            yield from _outputs_in(item)


def compute(name: str, inputs: Mapping[str, Json]) -> dict[str, Json]:
    """What every task of these tests does: its outputs tell its name and its inputs apart from any others.

    A task whose name begins with "big" gives outputs that are too large to be handed on inline.
    """
    x = zlib.crc32(json.dumps([name, inputs], sort_keys=True).encode())
    record: dict[str, Json] = {"a": x + 1, "l": [x + 2, x + 3]}
    if name.startswith("big"):
        record["pad"] = "p" * 9_000
    return {"x": x, "s": record}


def evaluate(program: WorkflowDocument, name: str, inputs: Mapping[str, Json]) -> dict[str, Json]:
    """The outputs of a workflow, by calling its nodes like functions: what every successful execution must give."""
    spec = program.workflows[name]
    by_id = {item.id: item for item in spec.nodes}
    results: dict[str, dict[str, Json]] = {}

    def value(binding: Binding) -> Json:
        if isinstance(binding, LiteralBinding):
            return binding.value
        if isinstance(binding, ListBinding):
            return [value(item) for item in binding.items]
        if isinstance(binding, MapBinding):
            return {key: value(item) for key, item in binding.entries.items()}
        found = inputs[binding.var] if isinstance(binding, InputBinding) else call(binding.node)[binding.var]
        for step in binding.path:
            found = found[step]
        return found

    def call(node_id: str) -> dict[str, Json]:
        if node_id not in results:
            item = by_id[node_id]
            of = program.tasks[item.target] if item.kind == "task" else program.workflows[item.target]
            arguments = {variable.name: variable.default for variable in of.interface.inputs if not variable.required}
            arguments |= {var: value(binding) for var, binding in item.inputs.items()}
            results[node_id] = compute(of.name, arguments) if item.kind == "task" else evaluate(program, of.name, arguments)
        return results[node_id]

    return {var: value(binding) for var, binding in spec.outputs.items()}
