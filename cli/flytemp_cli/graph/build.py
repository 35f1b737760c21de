"""Builder of the drawn graph from a document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from flytemp.spec.graphs import sources
from flytemp.spec.node_forms import form_of
from flytemp_cli.graph.model import Edge, Graph, Node, Shape
from flytemp_cli.graph.phrasing import (
    clipped,
    condition_text,
    gate_notes,
    gate_title,
    map_notes,
    map_size,
    settings_notes,
    short,
    span,
    workflow_notes,
)

if TYPE_CHECKING:
    from flytemp.spec.models import (
        BranchCase,
        Document,
        NodeSpec,
        TaskSettings,
        WorkflowDocument,
        WorkflowSpec,
    )

NODES_DRAWN = 20_000
"""Maximum number of nodes in a drawing; a sub-workflow that exceeds it is drawn as one box."""

LEVELS_DRAWN = 60


def graph_of(document: Document) -> Graph:
    """Return the graph of a workflow, or of a task (one node). For a launch plan, pass its workflow's document."""
    match document.kind:
        case "workflow":
            return _Builder(document).workflow(document.root, "", 0)
        case "task":
            task = document.task
            shape: Shape = "dynamic" if task.kind == "dynamic" else "task"
            notes = (*_DYNAMIC_NOTES, *settings_notes(task.settings)) if shape == "dynamic" else settings_notes(task.settings)
            return Graph(document.name, (Node("n0", short(document.name), document.name, shape=shape, notes=tuple(notes)),))
        case "launch_plan":
            raise AssertionError("a launch plan has no graph; pass its workflow")


_DYNAMIC_NOTES = ("graph made at run time",)


class _Builder:
    def __init__(self, document: WorkflowDocument) -> None:
        self._document = document
        self._room = NODES_DRAWN

    def workflow(self, workflow: WorkflowSpec, prefix: str, level: int) -> Graph:
        self._room -= len(workflow.nodes)
        nodes = [self._node(node, prefix, level) for node in workflow.nodes]
        edges = [edge for node in workflow.nodes for edge in _edges_into(node, prefix)]
        if workflow.on_failure is not None:
            start = Node(f"{prefix}!", "on failure", "", shape="failure")
            handler = self._node(workflow.on_failure, prefix, level)
            nodes += [start, handler]
            edges.append(Edge(start.path, handler.path, kind="failure"))
        return Graph(workflow.name, tuple(nodes), tuple(edges), tuple(workflow_notes(workflow)))

    def _node(self, node: NodeSpec, prefix: str, level: int) -> Node:
        path = f"{prefix}{node.id}"
        title = clipped(node.overrides.name or short(node.target) or node.id)
        match node.kind:
            case "workflow":
                return self._call(node, path, title, level)
            case "branch":
                return self._branch(node, path, title, level)
            case "map":
                return self._map(node, path, title, level)
            case "gate":
                assert node.gate is not None
                return Node(
                    path, clipped(gate_title(node.gate)), node.gate.name, shape="gate", notes=tuple(gate_notes(node.gate))
                )
            case "sleep":
                return Node(path, f"sleep {span(node.sleep_seconds or 0)}", "", shape="sleep")
            case "launch_plan":
                return Node(path, title, node.target, shape="launch_plan", notes=("separate execution",))
            case "dynamic":
                notes = (*_DYNAMIC_NOTES, *settings_notes(self._settings(node)))
                return Node(path, title, node.target, shape="dynamic", notes=notes)
            case "task":
                return Node(path, title, node.target, notes=tuple(settings_notes(self._settings(node))))
            case _:
                form = form_of(node)
                return Node(path, clipped(f"{form.words} {form.detail(node)}".strip()), form.detail(node))

    def _settings(self, node: NodeSpec) -> TaskSettings | None:
        if node.overrides.settings is not None:
            return node.overrides.settings
        task = self._document.tasks.get(node.target)
        return task.settings if task is not None else None

    def _call(self, node: NodeSpec, path: str, title: str, level: int) -> Node:
        inner, notes = self._inner(node.target, f"{path}.", level)
        return Node(path, title, node.target, inner, "workflow", notes)

    def _inner(self, target: str, prefix: str, level: int) -> tuple[Graph | None, tuple[str, ...]]:
        """Return the graph of a sub-workflow (None if it is too large or too deep) and the notes of its frame."""
        workflow = self._document.workflows[target]
        notes = tuple(workflow_notes(workflow))
        if len(workflow.nodes) > self._room or level >= LEVELS_DRAWN:
            count = len(workflow.nodes)
            return None, (*notes, f"{count} node{'s' if count != 1 else ''}, not drawn")
        return self.workflow(workflow, prefix, level + 1), notes

    def _map(self, node: NodeSpec, path: str, title: str, level: int) -> Node:
        assert node.map is not None
        size = map_size(node)
        title = f"{title} ×{'n' if size is None else size}"
        notes = tuple(map_notes(node.map))
        inner: Graph | None = None
        match node.map.kind:
            case "workflow":
                inner, more = self._inner(node.target, f"{path}.*.", level)
                notes += more
            case "launch_plan":
                notes += ("separate executions",)
            case "task" | "dynamic":
                notes += (*(_DYNAMIC_NOTES if node.map.kind == "dynamic" else ()), *settings_notes(self._settings(node)))
        return Node(path, title, node.target, inner, "map", notes)

    def _branch(self, node: NodeSpec, path: str, title: str, level: int) -> Node:
        nodes: list[Node] = []
        edges: list[Edge] = []
        self._decision(node, path, title, level, nodes, edges)
        return Node(path, title, "", Graph(title, tuple(nodes), tuple(edges)), "branch")

    def _decision(self, node: NodeSpec, path: str, title: str, level: int, nodes: list[Node], edges: list[Edge]) -> None:
        """Add the diamond of a branch and the nodes of its cases; a branch in a case is drawn in the same frame."""
        assert node.branch is not None
        diamond = Node(f"{path}?", title, "", shape="decision")
        nodes.append(diamond)
        for number, case in enumerate(node.branch.cases):
            label, full_text = _case_texts(case)
            if case.node is None:
                end = Node(f"{path}.fail{number}", clipped(case.fail or "fails"), case.fail or "", shape="fail")
                nodes.append(end)
                target = end.path
            elif case.node.kind == "branch":
                inner = case.node
                target = f"{path}.{inner.id}?"
                self._decision(inner, f"{path}.{inner.id}", clipped(inner.overrides.name or inner.id), level, nodes, edges)
            else:
                end = self._node(case.node, f"{path}.", level)
                nodes.append(end)
                target = end.path
            edges.append(Edge(diamond.path, target, (full_text,), "case", label))


def _case_texts(case: BranchCase) -> tuple[str, str]:
    """Return the label of a case's arrow, shortened and complete."""
    text = "else" if case.condition is None else condition_text(case.condition)
    return clipped(text), text


def _edges_into(node: NodeSpec, prefix: str) -> Iterator[Edge]:
    values: dict[str, dict[str, None]] = {}
    for source, text in _needs(node, ""):
        flows = values.setdefault(source, {})
        if text:
            flows[text] = None
    for source, texts in values.items():
        yield Edge(f"{prefix}{source}", f"{prefix}{node.id}", tuple(texts))


def _needs(node: NodeSpec, within: str) -> Iterator[tuple[str, str]]:
    """Yield the nodes that a node or its cases depend on, each with "output → input", or "" for order only."""
    for needed in node.after:
        yield needed, ""
    for name, binding in node.inputs.items():
        for source in sources([binding]):
            if source.kind == "output":
                yield source.node, f"{source.var} → {within}{name}"
    form = form_of(node)
    for source in sources(form.operands(node)):
        if source.kind == "output":
            yield source.node, f"{source.var} → {within}condition"
    for child in form.children(node):
        yield from _needs(child, f"{within}{child.id}.")
