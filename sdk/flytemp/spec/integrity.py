"""Integrity of workflow documents: every name in a document has a referent, and no node waits for itself.

The compiler writes only such documents. A document that a person or another program wrote, or that was damaged, must not reach
the engine, where a node that waits for itself would never start. Types: `flytemp.spec.typecheck`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from flytemp.errors import CorruptData, InvalidName, Location, Problem
from flytemp.names import check_node, entry_name
from flytemp.spec.field_checks import interface_problems, settings_problems, workflow_problems
from flytemp.spec.graphs import all_nodes, called_workflows, circular, needs_of, nodes_within, sources, taken_by
from flytemp.spec.models import Binding, ErrorBinding, InputBinding, Interface, NodeSpec, WorkflowDocument, WorkflowSpec
from flytemp.spec.node_forms import field_problems, form_of
from flytemp.task_types import task_type_problems

Locate: TypeAlias = Callable[[str, str, str], Location | None]
"""Return the source location of a workflow (its key), of a node in it (its local id, or "") and of an input (or "")."""


def _nowhere(workflow: str, node: str, name: str) -> None:
    return None


def check_integrity(document: WorkflowDocument) -> None:
    """Check that a document can run.

    Raises:
        CorruptData: for the first of `integrity_problems`.
    """
    for problem in integrity_problems(document):
        raise CorruptData(
            f"the document of a workflow cannot run: {problem.message}",
            hint="it was not compiled by flytemp, or changed since: register the program again",
        )


def integrity_problems(
    document: WorkflowDocument, *, linked: bool = True, locate: Locate = _nowhere
) -> Iterator[Problem]:
    """Yield everything for which the document cannot run. The time is linear in the size of the document.

    Args:
        document: the document of a workflow.
        linked: report references as well. A document may have them until it is registered.
        locate: finds source locations.
    """
    own = f"workflow '{document.name}': "
    if document.name not in document.workflows:
        yield Problem(f"{own}the document lacks it", locate(document.name, "", ""))
        return
    for problem in (*name_problems(document), *_task_problems(document, linked)):
        yield problem.within(own, locate(document.name, "", ""))
    for key, spec in document.workflows.items():
        if spec.reference is None:
            yield from _Graph(document, key, spec, locate).problems()
        elif linked:
            message = f"workflow '{key}': it is a reference to {spec.reference}, which was not resolved"
            yield Problem(message, locate(key, "", ""))
    known = document.workflows.keys()
    circle = circular({key: called_workflows(spec) & known for key, spec in document.workflows.items()})
    if circle:
        yield Problem(f"workflow '{circle[0]}': it calls itself, through {', '.join(circle)}", locate(circle[0], "", ""))


def name_problems(document: WorkflowDocument) -> Iterator[Problem]:
    """Yield the entries whose key is not their name."""
    for noun, entries in (("workflow", document.workflows), ("task", document.tasks), ("launch plan", document.launch_plans)):
        for key, entry in entries.items():
            if entry.name != entry_name(key):
                yield Problem(f"the {noun} {key!r} has the name {entry.name!r}")


def _task_problems(document: WorkflowDocument, linked: bool) -> Iterator[Problem]:
    for key, task in document.tasks.items():
        if task.kind == "reference" and linked:
            yield Problem(f"its task {key!r} is a reference to {task.reference}, which was not resolved")
        for problem in (*settings_problems(task.settings), *task_type_problems(task)):
            yield problem.within(f"its task {key!r} ")
        for problem in interface_problems(task.interface):
            yield problem.within(f"its task {key!r}: ")


@dataclass(frozen=True, slots=True)
class _Names:
    """The names in an interface. The interface is kept so that no other object gets its identity."""

    interface: Interface
    inputs: frozenset[str]
    required: frozenset[str]
    outputs: frozenset[str]


@dataclass
class _Graph:
    """Check of one graph of a document."""

    document: WorkflowDocument
    key: str
    spec: WorkflowSpec
    locate: Locate
    _names: dict[int, _Names] = field(default_factory=dict)
    _outputs: dict[str, frozenset[str]] = field(default_factory=dict)  # of the nodes that bindings can name

    def problems(self) -> Iterator[Problem]:
        spec = self.spec
        for problem in workflow_problems(spec):
            yield self._placed(problem)
        for local, node in all_nodes(spec):
            for problem in self._node(node):
                yield self._placed(problem, f"its node {local} ", local)
        yield from self._ids()
        yield from self._sources()
        known = self._outputs.keys()
        circle = circular({node.id: known & set(needs_of(node)) for node in spec.nodes})
        if circle:
            yield self._placed(Problem(f"its nodes {', '.join(circle)} wait for each other"))

    def _placed(self, problem: Problem, owner: str = "", local: str = "") -> Problem:
        return problem.within(f"workflow '{self.key}': {owner}", self.locate(self.key, local, ""))

    # ---------------------------------------------------------------------------------- one node

    def _node(self, node: NodeSpec) -> Iterator[Problem]:
        """Yield the problems of a node by itself, apart from the nodes around it."""
        try:
            check_node(node.id)
        except InvalidName as error:
            yield Problem(f"has an invalid id: {error.hint}")
        yield from field_problems(node)
        names = self._names_of(node)
        if names is None:
            yield form_of(node).lacking(node)
            return
        what = node.target or f"a {node.kind}"
        unknown = node.inputs.keys() - names.inputs
        if unknown:
            yield Problem(f"gives {_listed(unknown)}, which {what} does not take")
        missing = names.required - node.inputs.keys()
        if missing:
            yield Problem(f"does not give {_listed(missing)}, which {what} needs")
        yield from form_of(node).problems_in(node, self.document)

    def _names_of(self, node: NodeSpec) -> _Names | None:
        interface = form_of(node).interface(node, self.document)
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

    def _ids(self) -> Iterator[Problem]:
        """Collect the nodes that bindings can name, and yield those that share an id."""
        for node in self.spec.nodes:
            if node.id in self._outputs:
                yield self._placed(Problem(f"two of its nodes have the id {node.id!r}"), local=node.id)
            names = self._names_of(node)
            self._outputs[node.id] = names.outputs if names is not None else frozenset()
        handler = self.spec.on_failure
        if handler is None:
            return
        if handler.id in self._outputs:
            message = f"the node that runs on failure has the id of another one, {handler.id!r}"
            yield self._placed(Problem(message), local=handler.id)
        if not form_of(handler).can_handle_failure:
            message = f"is a {handler.kind}: only a task, workflow or launch plan can run on failure"
            yield self._placed(Problem(message), f"its node {handler.id} ", handler.id)
        if handler.after:
            message = "waits for other nodes: the node that runs on failure runs after all of them"
            yield self._placed(Problem(message), f"its node {handler.id} ", handler.id)

    def _sources(self) -> Iterator[Problem]:
        """Yield the uses of inputs, outputs and nodes that do not exist."""
        spec = self.spec
        inputs = {variable.name for variable in spec.interface.inputs}
        unbound = {variable.name for variable in spec.interface.outputs} - spec.outputs.keys()
        if unbound:
            yield self._placed(Problem(f"its output {_listed(unbound)} has no binding"))
        for var, binding in spec.outputs.items():
            for problem in self._wrong_sources((binding,), inputs):
                yield self._placed(problem, f"its output {var!r} ")
        for top in spec.nodes:
            for local, node in nodes_within(top):
                owner = f"its node {local} "
                for needed in node.after:
                    if needed not in self._outputs:
                        yield self._placed(Problem(f"waits for the node {needed!r}, which does not exist"), owner, local)
                for problem in self._wrong_sources(taken_by(node), inputs):
                    yield self._placed(problem, owner, local)
        if spec.on_failure is not None:
            for problem in self._wrong_sources(spec.on_failure.inputs.values(), inputs, on_failure=True):
                yield self._placed(problem, f"its node {spec.on_failure.id} ", spec.on_failure.id)

    def _wrong_sources(self, bindings: Iterable[Binding], inputs: set[str], *, on_failure: bool = False) -> Iterator[Problem]:
        for source in sources(bindings):
            if isinstance(source, InputBinding):
                if source.var not in inputs:
                    yield Problem(f"takes the input {source.var!r} of the workflow, which does not exist")
            elif isinstance(source, ErrorBinding):
                if not on_failure:
                    yield Problem("takes the error of the workflow, which only the node that runs on failure has")
            elif on_failure:
                output = f"the output {source.var!r} of the node {source.node!r}"
                yield Problem(f"takes {output}, which may not have run when the workflow fails")
            elif source.var not in self._outputs.get(source.node, ()):
                yield Problem(f"takes the output {source.var!r} of the node {source.node!r}, which does not exist")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in sorted(names))
