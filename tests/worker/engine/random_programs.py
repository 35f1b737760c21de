"""Random documents: graphs in graphs, every kind of binding, every policy.

A value is a number or a record ``{"a": number, "l": [number, number]}``, so that any path drawn leads somewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from hypothesis import strategies as st

from flytemp.spec.models import (
    Binding,
    InputBinding,
    Interface,
    ListBinding,
    LiteralBinding,
    MapBinding,
    NodeOverrides,
    NodeSpec,
    OutputBinding,
    Retries,
    TaskSettings,
    TaskSpec,
    Variable,
    WorkflowDocument,
    WorkflowSpec,
)

from .programs import ANY, AT_ONCE, AT_THE_END, Json, task

MOST_NODES = 40
"""Of an execution, those of its sub-workflows included."""

Draw: TypeAlias = Callable[[st.SearchStrategy[Any]], Any]

numbers = st.integers(min_value=-9, max_value=9)
records = st.builds(
    lambda a, first, second, pad: {"a": a, "l": [first, second]} | ({"pad": "p" * 3_000} if pad else {}),
    numbers,
    numbers,
    numbers,
    st.sampled_from([False, False, False, True]),  # too large for a plan
)
kinds = st.sampled_from(["number", "record"])


@dataclass(frozen=True)
class Callee:
    """A task or workflow that a node may call. ``weight`` counts the nodes that a call adds."""

    spec: TaskSpec | WorkflowSpec
    inputs: dict[str, str]
    weight: int


@dataclass(frozen=True)
class Source:
    """A value in scope."""

    kind: str
    at: Callable[[tuple[str | int, ...]], Binding]


def from_input(var: str, kind: str) -> Source:
    return Source(kind, lambda path: InputBinding(var=var, path=path))


def from_node(node: str, var: str, kind: str) -> Source:
    return Source(kind, lambda path: OutputBinding(node=node, var=var, path=path))


@dataclass(frozen=True)
class Launch:
    program: WorkflowDocument
    inputs: dict[str, Json]


def _binding(draw: Draw, kind: str, sources: list[Source]) -> Binding:
    same = [source.at(()) for source in sources if source.kind == kind]
    if kind == "number":
        parts: list[tuple[str | int, ...]] = [("a",), ("l", 0), ("l", 1)]
        within = [source.at(path) for source in sources if source.kind == "record" for path in parts]
        if not (same or within) or draw(st.integers(0, 3)) == 0:
            return LiteralBinding(value=draw(numbers))
        return draw(st.sampled_from([*same, *within]))  # type: ignore[no-any-return]
    choice = draw(st.integers(0, 3))
    if choice == 0:
        return LiteralBinding(value=draw(records))
    if choice == 1 or not same:
        items = ListBinding(items=tuple(_binding(draw, "number", sources) for _ in range(2)))
        return MapBinding(entries={"a": _binding(draw, "number", sources), "l": items})
    return draw(st.sampled_from(same))  # type: ignore[no-any-return]


def _interface(draw: Draw, most: int) -> tuple[Interface, dict[str, str]]:
    inputs = {f"i{index}": draw(kinds) for index in range(draw(st.integers(0, most)))}
    variables = []
    for name, kind in inputs.items():
        optional = draw(st.integers(0, 3)) == 0
        default = draw(numbers if kind == "number" else records) if optional else None
        variables.append(Variable(name=name, type=ANY, required=not optional, default=default))
    outputs = (Variable(name="x", type=ANY), Variable(name="s", type=ANY))
    return Interface(inputs=tuple(variables), outputs=outputs), inputs


def _task(draw: Draw, index: int) -> Callee:
    interface, inputs = _interface(draw, 3)
    name = f"{draw(st.sampled_from(['t', 't', 'big']))}{index}"
    base = task(name, retries=draw(st.sampled_from([0, 1, 2, 3])))
    return Callee(base.model_copy(update={"interface": interface}), inputs, 1)


def _node(draw: Draw, node_id: str, callee: Callee, sources: list[Source], before: list[str]) -> NodeSpec:
    optional = {variable.name for variable in callee.spec.interface.inputs if not variable.required}
    bindings = {
        var: _binding(draw, kind, sources) for var, kind in callee.inputs.items() if var not in optional or draw(st.booleans())
    }
    is_task = isinstance(callee.spec, TaskSpec)
    settings = TaskSettings(retries=Retries(count=3)) if is_task and draw(st.integers(0, 9)) == 0 else None
    return NodeSpec(
        id=node_id,
        kind="task" if is_task else "workflow",
        target=callee.spec.name,
        inputs=bindings,
        after=tuple(draw(st.lists(st.sampled_from(before), max_size=2, unique=True))) if before else (),
        overrides=NodeOverrides(settings=settings),
    )


def _workflow(draw: Draw, name: str, callees: list[Callee], lengths: list[int]) -> Callee:
    interface, inputs = _interface(draw, 2)
    sources = [from_input(var, kind) for var, kind in inputs.items()]
    nodes: list[NodeSpec] = []
    weight = 1
    for index in range(draw(st.sampled_from(lengths))):
        callee = draw(st.sampled_from(callees[::-1]))
        if weight + callee.weight > MOST_NODES:
            continue
        weight += callee.weight
        node_id = f"n{index}"
        nodes.append(_node(draw, node_id, callee, sources, [node.id for node in nodes]))
        sources += [from_node(node_id, "x", "number"), from_node(node_id, "s", "record")]
    spec = WorkflowSpec(
        name=name,
        interface=interface,
        nodes=tuple(draw(st.permutations(nodes))),  # a document need not list them in the order in which they run
        outputs={"x": _binding(draw, "number", sources), "s": _binding(draw, "record", sources)},
        failure_policy=draw(st.sampled_from([AT_ONCE, AT_THE_END])),
    )
    return Callee(spec, inputs, weight)


@st.composite
def launches(draw: Draw) -> Launch:
    """A document, and inputs for its workflow."""
    callees = [_task(draw, index) for index in range(draw(st.integers(1, 3)))]
    for level in range(draw(st.sampled_from([0, 2, 1, 3]))):
        callees.append(_workflow(draw, f"w{level}", callees, [1, 0, 2, 3, 4]))
    root = _workflow(draw, "root", callees, [1, 0, 6, 8, 10, 12])
    assert isinstance(root.spec, WorkflowSpec)
    specs = [callee.spec for callee in callees]
    program = WorkflowDocument(
        name="root",
        workflows={spec.name: spec for spec in (root.spec, *specs) if isinstance(spec, WorkflowSpec)},
        tasks={spec.name: spec for spec in specs if isinstance(spec, TaskSpec)},
    )
    inputs = {var: draw(numbers if kind == "number" else records) for var, kind in root.inputs.items()}
    return Launch(program, inputs)
