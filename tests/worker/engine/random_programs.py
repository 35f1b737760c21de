"""Random documents: nested graphs, all kinds of nodes and bindings, and all policies.

A value is a number, a record ``{"a": number, "l": [number, number]}``, or a list of either, so that any path drawn leads
somewhere; "any" is what nothing is taken from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from hypothesis import strategies as st

from flytemp.spec.models import (
    Binding,
    ErrorBinding,
    InputBinding,
    Interface,
    LaunchPlanReference,
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

from .programs import ANY, AT_ONCE, AT_THE_END, document, given, launch_plan, node, out, task, workflow
from .random_kinds import another_node
from .reference_interpreter import Generator, Json, bake

MOST_NODES = 40
"""Maximum number of nodes of an execution, with those of its sub-workflows."""

Draw: TypeAlias = Callable[[st.SearchStrategy[Any]], Any]

numbers = st.integers(min_value=-9, max_value=9)
records = st.builds(
    lambda a, first, second, pad: {"a": a, "l": [first, second]} | ({"pad": "p" * 3_000} if pad else {}),
    numbers,
    numbers,
    numbers,
    st.sampled_from([False, False, False, True]),  # too large for a plan
)
LITERALS = {
    "number": numbers, "record": records, "any": numbers,
    "numbers": st.lists(numbers, max_size=4), "records": st.lists(records, max_size=4),
}  # fmt: skip
kinds = st.sampled_from(["number", "record", "number", "record", "numbers", "records", "any"])
deadlines = st.sampled_from([None, None, None, None, 60.0])


@dataclass(frozen=True)
class Callee:
    """Callee of a node. ``weight`` is the number of nodes that a call adds."""

    kind: Literal["task", "workflow", "dynamic", "launch_plan"]
    name: str
    interface: Interface
    inputs: dict[str, str]
    weight: int = 1

    @property
    def outputs(self) -> dict[str, str]:
        known = {"x": "number", "s": "record", "z": "any"}
        return {variable.name: known[variable.name] for variable in self.interface.outputs}


@dataclass(frozen=True)
class BindingReader:
    """A value in scope."""

    kind: str
    at: Callable[[tuple[str | int, ...]], Binding]


def from_input(var: str, kind: str) -> BindingReader:
    return BindingReader(kind, lambda path: InputBinding(var=var, path=path))


def from_node(node: str, var: str, kind: str) -> BindingReader:
    return BindingReader(kind, lambda path: OutputBinding(node=node, var=var, path=path))


@dataclass(frozen=True)
class Launch:
    program: WorkflowDocument
    inputs: dict[str, Json]
    dynamics: Mapping[str, Generator]


def binding(draw: Draw, kind: str, sources: list[BindingReader]) -> Binding:
    """Draw a binding of this kind from the values in scope."""
    same = [source.at(()) for source in sources if source.kind == kind or kind == "any"]
    if kind == "number":
        chunks: list[tuple[str | int, ...]] = [("a",), ("l", 0), ("l", 1)]
        same += [source.at(path) for source in sources if source.kind == "record" for path in chunks]
    if kind == "numbers":
        same += [source.at(("l",)) for source in sources if source.kind == "record"]
    choice = draw(st.integers(0, 3))
    if choice == 0 or (not same and kind in ("number", "any")):
        return LiteralBinding(value=draw(LITERALS[kind]))
    if choice == 1 or not same:
        made = _made(draw, kind, sources)
        if made is not None:
            return made
    return draw(st.sampled_from(same))  # type: ignore[no-any-return]


def _made(draw: Draw, kind: str, sources: list[BindingReader]) -> Binding | None:
    """Draw a list or map of bindings."""
    if kind == "record":
        items = ListBinding(items=tuple(binding(draw, "number", sources) for _ in range(2)))
        return MapBinding(entries={"a": binding(draw, "number", sources), "l": items})
    if kind in ("numbers", "records"):
        return ListBinding(items=tuple(binding(draw, kind[:-1], sources) for _ in range(draw(st.integers(0, 4)))))
    return None


def _interface(draw: Draw, most: int, outputs: tuple[str, ...] = ("x", "s")) -> tuple[Interface, dict[str, str]]:
    inputs = {f"i{index}": draw(kinds) for index in range(draw(st.integers(0, most)))}
    variables = []
    for name, kind in inputs.items():
        optional = draw(st.integers(0, 3)) == 0
        variables.append(Variable(name=name, type=ANY, required=not optional, default=draw(LITERALS[kind]) if optional else None))
    return Interface(inputs=tuple(variables), outputs=tuple(Variable(name=name, type=ANY) for name in outputs)), inputs


@dataclass
class Library:
    """The callees that have been drawn."""

    callees: list[Callee] = field(default_factory=list)
    tasks: dict[str, TaskSpec] = field(default_factory=dict)
    workflows: dict[str, WorkflowSpec] = field(default_factory=dict)
    launch_plans: dict[str, LaunchPlanReference] = field(default_factory=dict)
    dynamics: dict[str, Generator] = field(default_factory=dict)

    def document(self, root: WorkflowSpec) -> WorkflowDocument:
        workflows = {root.name: root, **self.workflows}
        return WorkflowDocument(name=root.name, workflows=workflows, tasks=dict(self.tasks), launch_plans=self.launch_plans)

    def add_task(self, draw: Draw, index: int) -> None:
        interface, inputs = _interface(draw, 3)
        name = f"{draw(st.sampled_from(['t', 't', 'big']))}{index}"
        base = task(name, retries=draw(st.sampled_from([0, 1, 2, 3])), deadline=draw(deadlines))
        self.tasks[name] = base.model_copy(update={"interface": interface})
        self.callees.append(Callee("task", name, interface, inputs))

    def add_launch_plan(self, draw: Draw) -> None:
        interface, inputs = _interface(draw, 2)
        self.launch_plans["lp"] = launch_plan("lp").model_copy(update={"interface": interface})
        self.callees.append(Callee("launch_plan", "lp", interface, inputs))

    def add_workflow(self, draw: Draw, name: str, lengths: list[int]) -> Callee:
        callee, spec = drawn_workflow(draw, name, self, lengths)
        self.workflows[name] = spec
        self.callees.append(callee)
        return callee

    def add_dynamic(self, draw: Draw, name: str) -> None:
        """Draw a dynamic task whose graph is one that was drawn, with its inputs filled in."""
        callee, spec = drawn_workflow(draw, name, self, [1, 0, 2, 3])
        made = self.document(spec)
        base = task(name, retries=draw(st.sampled_from([0, 1])), deadline=draw(deadlines), dynamic=True)
        self.tasks[name] = base.model_copy(update={"interface": callee.interface})
        self.dynamics[name] = lambda inputs: bake(made, inputs)
        self.callees.append(Callee("dynamic", name, callee.interface, callee.inputs, callee.weight + 1))

    def add_recursion(self) -> None:
        """Draw a dynamic task that calls itself a given number of times."""
        spec = task("again", "k", "a", dynamic=True)
        leaf = task("leaf", "a")
        self.tasks.update(again=spec, leaf=leaf)

        def made(inputs: Mapping[str, Json]) -> WorkflowDocument:
            k = inputs["k"] % 3 if isinstance(inputs["k"], int) else 0
            inner = node("n0", "leaf", a=given("a")) if k == 0 else node("n0", "again", kind="dynamic", k=k - 1, a=given("a"))
            nodes = (inner, node("n1", "leaf", a=out("n0")))
            root = workflow("again", *nodes, inputs=("k", "a"), outputs={"x": out("n1"), "s": out("n0", "s")})
            return bake(document(root, spec, leaf), inputs)

        self.dynamics["again"] = made
        self.callees.append(Callee("dynamic", "again", spec.interface, {"k": "number", "a": "any"}, 9))


def call(draw: Draw, node_id: str, callee: Callee, sources: list[BindingReader], before: list[str]) -> NodeSpec:
    """Draw a node that calls something."""
    optional = {variable.name for variable in callee.interface.inputs if not variable.required}
    bindings = {
        var: binding(draw, kind, sources) for var, kind in callee.inputs.items() if var not in optional or draw(st.booleans())
    }
    settings = TaskSettings(retries=Retries(count=3)) if callee.kind == "task" and draw(st.integers(0, 9)) == 0 else None
    return NodeSpec(
        id=node_id,
        kind=callee.kind,
        target=callee.name,
        inputs=bindings,
        after=after(draw, before),
        overrides=NodeOverrides(settings=settings),
    )


def after(draw: Draw, before: list[str]) -> tuple[str, ...]:
    return tuple(draw(st.lists(st.sampled_from(before), max_size=2, unique=True))) if before else ()


def drawn_workflow(draw: Draw, name: str, library: Library, lengths: list[int]) -> tuple[Callee, WorkflowSpec]:
    interface, inputs = _interface(draw, 2, ("x", "s", "z"))
    own = [from_input(var, kind) for var, kind in inputs.items()]
    sources = list(own)
    nodes: list[NodeSpec] = []
    weight = 1
    for index in range(draw(st.sampled_from(lengths))):
        fitting = [callee for callee in library.callees if weight + callee.weight <= MOST_NODES]
        if not fitting:
            break
        node_id, before = f"n{index}", [node.id for node in nodes]
        if draw(st.integers(0, 2)) == 0:
            made, outputs, added = another_node(draw, node_id, fitting, sources, before)
        else:
            callee = draw(st.sampled_from(fitting[::-1]))
            made, outputs, added = call(draw, node_id, callee, sources, before), callee.outputs, callee.weight
        weight += added
        nodes.append(made)
        sources += [from_node(node_id, var, kind) for var, kind in outputs.items()]
    spec = WorkflowSpec(
        name=name,
        interface=interface,
        nodes=tuple(draw(st.permutations(nodes))),  # documents may list nodes in any order
        outputs={
            "x": binding(draw, "number", sources), "s": binding(draw, "record", sources), "z": binding(draw, "any", sources),
        },
        failure_policy=draw(st.sampled_from([AT_ONCE, AT_THE_END])),
        on_failure=_handler(draw, library.callees, own),
        timeout_seconds=draw(st.sampled_from([None, None, None, 3_600.0])),
    )  # fmt: skip
    return Callee("workflow", name, interface, inputs, weight), spec


def _handler(draw: Draw, callees: list[Callee], sources: list[BindingReader]) -> NodeSpec | None:
    choice = draw(st.integers(0, 8))
    if choice == 0:
        return NodeSpec(id="fn0", kind="task", target="on_error", inputs={"e": ErrorBinding()})
    if choice == 1:
        return call(draw, "fn0", draw(st.sampled_from(callees)), sources, [])
    return None


@st.composite
def launches(draw: Draw) -> Launch:
    """A document and inputs of its workflow."""
    library = Library()
    for index in range(draw(st.integers(1, 3))):
        library.add_task(draw, index)
    library.tasks["on_error"] = task("on_error", "e")
    for kind in draw(st.lists(st.sampled_from(["workflow", "dynamic", "launch plan", "recursion"]), max_size=4)):
        level = len(library.callees)
        if kind == "workflow":
            library.add_workflow(draw, f"w{level}", [1, 0, 2, 3, 4])
        elif kind == "dynamic":
            library.add_dynamic(draw, f"d{level}")
        elif kind == "launch plan" and not library.launch_plans:
            library.add_launch_plan(draw)
        elif kind == "recursion" and "again" not in library.tasks:
            library.add_recursion()
    root, spec = drawn_workflow(draw, "root", library, [1, 0, 2, 4, 6, 8, 10])
    inputs = {var: draw(LITERALS[kind]) for var, kind in root.inputs.items()}
    return Launch(library.document(spec), inputs, library.dynamics)
