"""The drawings of a workflow, in every format."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from flytemp.literals.types import SimpleType
from flytemp.spec.models import (
    Binding,
    InputBinding,
    Interface,
    ListBinding,
    MapBinding,
    NodeOverrides,
    NodeSpec,
    OutputBinding,
    TaskDocument,
    TaskSpec,
    Variable,
    WorkflowDocument,
    WorkflowSpec,
)
from flytemp_cli.graph.dot import dot
from flytemp_cli.graph.layout import Layout, lay_out
from flytemp_cli.graph.mermaid import mermaid
from flytemp_cli.graph.model import Edge, Graph, Node, as_json, graph_of
from flytemp_cli.graph.svg import svg

INT = SimpleType(kind="integer")
INTERFACE = Interface(inputs=(Variable(name="x", type=INT),), outputs=(Variable(name="o0", type=INT),))
SVG = "{http://www.w3.org/2000/svg}"


def out(node: str) -> OutputBinding:
    return OutputBinding(node=node, var="o0")


def step(node: str, target: str, *, after: tuple[str, ...] = (), name: str | None = None, **inputs: Binding) -> NodeSpec:
    kind = "workflow" if target == "wf.sub" else "task"
    return NodeSpec.model_validate(
        {"id": node, "kind": kind, "target": target, "inputs": inputs, "after": after, "overrides": NodeOverrides(name=name)}
    )


def document() -> WorkflowDocument:
    """load → three fits and a sub-workflow → pick → report, which also reads load and waits for a fit."""
    sub = (step("n0", "wf.fit", x=InputBinding(var="x")), step("n1", "wf.fit", x=out("n0")))
    root = (
        step("n0", "wf.load", x=InputBinding(var="x")),
        step("n1", "wf.fit", x=out("n0")),
        step("n2", "wf.fit", x=out("n0")),
        step("n3", "wf.sub", x=out("n0")),
        step("n4", "wf.pick", xs=ListBinding(items=(out("n1"), out("n2"), MapBinding(entries={"k": out("n3")})))),
        step("n5", "wf.report", x=out("n4"), y=out("n0"), after=("n1",), name='<b>"Report" & co'),
    )
    return WorkflowDocument(
        name="wf.train",
        workflows={
            "wf.train": WorkflowSpec(name="wf.train", interface=INTERFACE, nodes=root),
            "wf.sub": WorkflowSpec(name="wf.sub", interface=INTERFACE, nodes=sub),
        },
    )


def test_the_graph_has_every_node_and_what_flows_between() -> None:
    graph = graph_of(document())

    assert [node.path for node in graph.nodes] == ["n0", "n1", "n2", "n3", "n4", "n5"]
    inner = graph.nodes[3].inner
    assert inner is not None
    assert [node.path for node in inner.nodes] == ["n3.n0", "n3.n1"]
    assert inner.edges == (Edge("n3.n0", "n3.n1", ("o0 → x",)),)
    assert Edge("n3", "n4", ("o0 → xs",)) in graph.edges
    assert Edge("n1", "n5") in graph.edges


def test_a_task_is_a_graph_of_one_node() -> None:
    task = TaskSpec(name="wf.fit", interface=INTERFACE, loader="wf:fit")

    assert graph_of(TaskDocument(task=task)) == Graph("wf.fit", (Node("n0", "fit", "wf.fit"),))


def test_json() -> None:
    value = json.loads(json.dumps(as_json(graph_of(document()))))

    assert value["nodes"][3]["graph"]["edges"] == [{"from": "n3.n0", "to": "n3.n1", "values": ["o0 → x"]}]


def test_mermaid() -> None:
    lines = [line.strip() for line in mermaid(graph_of(document())).splitlines()]

    assert lines[0] == "flowchart TD"
    assert 'subgraph node_n3["n3 sub"]' in lines
    assert lines.count("end") == 1
    assert "node_n0 --> node_n1" in lines
    assert "node_n1 -.-> node_n5" in lines
    assert 'node_n5["n5 #60;b#62;#34;Report#34; #38; co"]' in lines


def test_dot() -> None:
    text = dot(graph_of(document()))

    assert text.count("{") == text.count("}") == 2
    assert '"n5" [label="n5 <b>\\"Report\\" & co", tooltip="wf.report"];' in text
    assert '"n0" -> "n3.n0" [tooltip="o0 → x", lhead="cluster_n3"];' in text
    assert '"n3.n1" -> "n4" [tooltip="o0 → xs", ltail="cluster_n3"];' in text
    assert '"n1" -> "n5" [style=dashed];' in text


def test_svg_is_one_self_contained_escaped_document() -> None:
    text = svg(graph_of(document()))

    root = ElementTree.fromstring(text)
    shown = ["".join(element.itertext()) for element in root.iter(f"{SVG}text")]
    assert '<b>"Report" & co' in shown
    assert "load" in shown
    assert len(root.findall(f".//{SVG}rect[@class='task']")) == 7
    assert len(root.findall(f".//{SVG}rect[@class='cluster']")) == 1
    assert len(root.findall(f".//{SVG}path[@marker-end]")) == 10
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|<script|@import|href=", text)


def test_svg_is_the_same_every_time() -> None:
    assert svg(graph_of(document())) == svg(graph_of(document()))


def test_control_characters_do_not_break_the_xml() -> None:
    ElementTree.fromstring(svg(Graph("g", (Node("n0", "a\x00\x1bb", "wf.a"),))))


def test_an_empty_workflow_can_be_drawn() -> None:
    empty = Graph("wf.empty")

    ElementTree.fromstring(svg(empty))
    assert mermaid(empty) == "flowchart TD"
    assert lay_out(empty) == Layout(0, 0)


@pytest.mark.parametrize("fan", [1, 7, 40])
def test_boxes_stand_below_what_they_need_and_beside_each_other(fan: int) -> None:
    middle = [Node(f"m{index}", f"step {index}", "wf.m") for index in range(fan)]
    edges = [Edge("a", node.path, ("x",)) for node in middle] + [Edge(node.path, "z", ("x",)) for node in middle]
    graph = Graph("g", (Node("a", "a", "wf.a"), *middle, Node("z", "z", "wf.z")), (*edges, Edge("a", "z", ("x",))))

    layout = lay_out(graph)

    boxes = {box.key: box for box in layout.boxes}
    for edge in graph.edges:
        source, target = boxes[edge.source], boxes[edge.target]
        assert source.y + source.height < target.y
    row = sorted((boxes[node.path] for node in middle), key=lambda box: box.x)
    for left, right in pairwise(row):
        assert left.x + left.width < right.x
    for box in layout.boxes:
        assert box.x >= 0
        assert box.x + box.width <= layout.width + 0.001
        assert box.y + box.height <= layout.height + 0.001


def test_an_edge_that_skips_a_row_is_led_around_it() -> None:
    graph = Graph(
        "g",
        (Node("a", "a", "wf.a"), Node("b", "b", "wf.b"), Node("c", "c", "wf.c")),
        (Edge("a", "b", ("x",)), Edge("b", "c", ("x",)), Edge("a", "c", ("x",))),
    )

    layout = lay_out(graph)

    box = next(box for box in layout.boxes if box.key == "b")
    points = dict(layout.routes)[Edge("a", "c", ("x",))]
    assert len(points) == 4
    assert all(not box.x <= x <= box.x + box.width for x, y in points if box.y <= y <= box.y + box.height)


def test_a_long_chain_is_no_problem() -> None:
    nodes = tuple(Node(f"n{index}", "step", "wf.step") for index in range(2000))
    edges = tuple(Edge(f"n{index}", f"n{index + 1}", ("x",)) for index in range(1999))

    assert len(lay_out(Graph("g", nodes, edges)).boxes) == 2000
