"""Whether a workflow's document can run at all: every name in it leads somewhere, and nothing waits for itself.

The compiler writes only such documents. One that a person or another program wrote, or that was damaged, must not
reach the engine, where a node that waits for itself would wait for ever. Types: `flytemp.spec.typecheck`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from flytemp.errors import InvalidName
from flytemp.names import check_node
from flytemp.spec.field_checks import failure_node_flaws, interface_flaws, node_flaws, settings_flaws, workflow_flaws
from flytemp.spec.graphs import (
    all_nodes,
    called_workflows,
    callee_kind,
    circular,
    entry_name,
    needs_of,
    nodes_within,
    operands,
    sources,
)
from flytemp.spec.interfaces import corrupt, interface_of, known_interface, lacking
from flytemp.spec.models import (
    Binding,
    ErrorBinding,
    InputBinding,
    Interface,
    NodeSpec,
    WorkflowDocument,
    WorkflowSpec,
)
from flytemp.task_types import find_task_type, type_flaws

__all__ = ["Flaw", "check_integrity", "circular", "integrity_flaws", "interface_of", "name_flaws", "needs_of", "sources"]


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something for which a document cannot run. ``node`` is a local id, empty when it concerns no single node."""

    workflow: str
    reason: str
    node: str = ""


def check_integrity(document: WorkflowDocument) -> None:
    """
    Raises:
        CorruptData: naming the workflow, the node and what is wrong, for the first of `integrity_flaws`.
    """
    for flaw in integrity_flaws(document):
        raise corrupt(flaw.workflow, flaw.reason)


def integrity_flaws(document: WorkflowDocument, *, linked: bool = True) -> Iterator[Flaw]:
    """Everything for which the document cannot run. The time that it takes grows as the document does.

    Args:
        linked: that references are in it still is a flaw. They are until the document is registered.
    """
    if document.name not in document.workflows:
        yield Flaw(document.name, "the document lacks it")
        return
    for reason in name_flaws(document):
        yield Flaw(document.name, reason)
    yield from _task_flaws(document, linked)
    for key, spec in document.workflows.items():
        if spec.reference is None:
            yield from _Graph(document, key, spec).flaws()
        elif linked:
            yield Flaw(key, f"it is a reference to {spec.reference}, which was not put in its place")
    known = document.workflows.keys()
    circle = circular({key: called_workflows(spec) & known for key, spec in document.workflows.items()})
    if circle:
        yield Flaw(circle[0], f"it calls itself, through {', '.join(circle)}")


def name_flaws(document: WorkflowDocument) -> Iterator[str]:
    """Entries that are held under another name than their own."""
    for noun, entries in (("workflow", document.workflows), ("task", document.tasks), ("launch plan", document.launch_plans)):
        for key, entry in entries.items():
            if entry.name != entry_name(key):
                yield f"the {noun} {key!r} calls itself {entry.name!r}"


def _task_flaws(document: WorkflowDocument, linked: bool) -> Iterator[Flaw]:
    for key, task in document.tasks.items():
        if task.kind == "reference" and linked:
            yield Flaw(document.name, f"its task {key!r} is a reference to {task.reference}, which was not put in its place")
        for flaw in (*settings_flaws(task.settings), *(flaw for flaw, _ in type_flaws(task))):
            yield Flaw(document.name, f"its task {key!r} {flaw}")
        for flaw in interface_flaws(task.interface):
            yield Flaw(document.name, f"its task {key!r}: {flaw}")


@dataclass(frozen=True, slots=True)
class _Names:
    """The names in an interface, which is kept so that its identity stays its own."""

    interface: Interface
    inputs: frozenset[str]
    required: frozenset[str]
    outputs: frozenset[str]


@dataclass
class _Graph:
    """One graph of a document, while it is checked."""

    document: WorkflowDocument
    key: str
    spec: WorkflowSpec
    _names: dict[int, _Names] = field(default_factory=dict)
    _outputs: dict[str, frozenset[str]] = field(default_factory=dict)  # of the nodes that bindings can name

    def flaws(self) -> Iterator[Flaw]:
        spec = self.spec
        for reason in workflow_flaws(spec):
            yield Flaw(self.key, reason)
        for local, node in all_nodes(spec):
            for reason in self._node(node):
                yield Flaw(self.key, f"its node {local} {reason}", local)
        yield from self._ids()
        yield from self._sources()
        known = self._outputs.keys()
        circle = circular({node.id: known & set(needs_of(node)) for node in spec.nodes})
        if circle:
            yield Flaw(self.key, f"its nodes {', '.join(circle)} wait for each other")

    # ---------------------------------------------------------------------------------- one node

    def _node(self, node: NodeSpec) -> Iterator[str]:
        """What is wrong with a node, whatever surrounds it."""
        try:
            check_node(node.id)
        except InvalidName as error:
            yield f"has an id that is none: {error.hint}"
        yield from node_flaws(node)
        names = self._names_of(node)
        if names is None:
            yield lacking(node)
            return
        what = node.target or f"a {node.kind}"
        unknown = node.inputs.keys() - names.inputs
        if unknown:
            yield f"gives {_listed(unknown)}, which {what} does not take"
        missing = names.required - node.inputs.keys()
        if missing:
            yield f"does not give {_listed(missing)}, which {what} needs"
        yield from self._task_kind(node)
        if node.map is not None:
            over = frozenset(node.map.over) - names.inputs
            if over:
                yield f"maps over {_listed(over)}, which {what} does not take"
        if node.branch is not None:
            yield from self._case_outputs(node, names)

    def _task_kind(self, node: NodeSpec) -> Iterator[str]:
        kind = callee_kind(node)
        if kind not in ("task", "dynamic"):
            return
        task = self.document.tasks[node.target]
        type_ = find_task_type(task.kind)
        if type_ is not None and not type_.shares_tries and node.map is not None and node.map.items_per_task > 1:
            yield f"has items_per_task {node.map.items_per_task}: each call of {node.target!r} needs a try of its own"
        is_dynamic = task.kind == "dynamic"
        if is_dynamic and kind == "task":
            yield f"calls {node.target!r} as a task, and it is a dynamic one"
        if kind == "dynamic" and not is_dynamic:
            yield f"calls {node.target!r} as a dynamic task, and it is none"

    def _case_outputs(self, node: NodeSpec, declared: _Names) -> Iterator[str]:
        assert node.branch is not None
        for case in node.branch.cases:
            names = self._names_of(case.node) if case.node is not None else None
            missing = declared.outputs - names.outputs if names is not None else None
            if case.node is not None and missing:
                yield f"declares the output {_listed(missing)}, which the node {case.node.id} of one of its cases lacks"

    def _names_of(self, node: NodeSpec) -> _Names | None:
        interface = known_interface(self.document, node)
        if interface is None:
            return None
        names = self._names.get(id(interface))
        if names is None:
            names = _Names(
                interface,
                frozenset(variable.name for variable in interface.inputs),
                frozenset(variable.name for variable in interface.inputs if variable.required),
                frozenset(variable.name for variable in interface.outputs),
            )
            self._names[id(interface)] = names
        return names

    # --------------------------------------------------------------------------- nodes together

    def _ids(self) -> Iterator[Flaw]:
        """Fill in the nodes that bindings can name; those that have one id."""
        for node in self.spec.nodes:
            if node.id in self._outputs:
                yield Flaw(self.key, f"two of its nodes have the id {node.id!r}", node.id)
            names = self._names_of(node)
            self._outputs[node.id] = names.outputs if names is not None else frozenset()
        failing = self.spec.on_failure
        if failing is None:
            return
        if failing.id in self._outputs:
            yield Flaw(self.key, f"the node that runs on failure has the id of another one, {failing.id!r}", failing.id)
        for reason in failure_node_flaws(failing):
            yield Flaw(self.key, f"its node {failing.id} {reason}", failing.id)

    def _sources(self) -> Iterator[Flaw]:
        """Names of inputs and nodes that lead nowhere."""
        spec = self.spec
        inputs = {variable.name for variable in spec.interface.inputs}
        unbound = {variable.name for variable in spec.interface.outputs} - spec.outputs.keys()
        if unbound:
            yield Flaw(self.key, f"nothing gives its output {_listed(unbound)}")
        for var, binding in spec.outputs.items():
            for reason in self._wrong_sources((binding,), inputs):
                yield Flaw(self.key, f"its output {var!r} {reason}")
        for top in spec.nodes:
            for local, node in nodes_within(top):
                for needed in node.after:
                    if needed not in self._outputs:
                        yield Flaw(self.key, f"its node {local} comes after {needed!r}, which it lacks", local)
                for reason in self._wrong_sources(_bindings(node), inputs):
                    yield Flaw(self.key, f"its node {local} {reason}", local)
        if spec.on_failure is not None:
            for reason in self._wrong_sources(spec.on_failure.inputs.values(), inputs, on_failure=True):
                yield Flaw(self.key, f"its node {spec.on_failure.id} {reason}", spec.on_failure.id)

    def _wrong_sources(self, bindings: Iterable[Binding], inputs: set[str], *, on_failure: bool = False) -> Iterator[str]:
        for source in sources(bindings):
            if isinstance(source, InputBinding):
                if source.var not in inputs:
                    yield f"takes its input {source.var!r}, which it lacks"
            elif isinstance(source, ErrorBinding):
                if not on_failure:
                    yield "takes the error of the workflow, which only the node that runs on failure has"
            elif on_failure:
                yield f"takes {source.var!r} of {source.node!r}, which may not have run when the workflow fails"
            elif source.var not in self._outputs.get(source.node, ()):
                yield f"takes {source.var!r} of {source.node!r}, which it lacks"


def _bindings(node: NodeSpec) -> Iterator[Binding]:
    """What a node itself takes: its inputs and, of a branch, what its conditions compare."""
    yield from node.inputs.values()
    if node.branch is not None:
        for case in node.branch.cases:
            if case.condition is not None:
                yield from operands(case.condition)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in sorted(names))
