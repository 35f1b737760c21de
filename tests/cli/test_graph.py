"""The drawings of a workflow, in every format."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from flytemp.literals.types import SimpleType
from flytemp.registry import Registry
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
    TaskDocument,
    TaskSpec,
    Variable,
    WorkflowDocument,
    WorkflowSpec,
)
from flytemp.store import open_store
from flytemp_cli.graph.build import NODES_DRAWN, graph_of
from flytemp_cli.graph.dot import dot
from flytemp_cli.graph.layout import ROW_WIDTH, Box, Layout, lay_out
from flytemp_cli.graph.mermaid import mermaid
from flytemp_cli.graph.model import Edge, Graph, Node, as_json, count_nodes
from flytemp_cli.graph.phrasing import span
from flytemp_cli.graph.svg import svg
from tests.cli.shapes import every_kind
from tests.sizes import short_and_long

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
    """Return the workflow: load, three fits and a sub-workflow, pick, report."""
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


def test_graph_has_all_nodes_and_edges() -> None:
    graph = graph_of(document())

    assert [node.path for node in graph.nodes] == ["n0", "n1", "n2", "n3", "n4", "n5"]
    inner = graph.nodes[3].inner
    assert inner is not None
    assert [node.path for node in inner.nodes] == ["n3.n0", "n3.n1"]
    assert inner.edges == (Edge("n3.n0", "n3.n1", ("o0 → x",)),)
    assert Edge("n3", "n4", ("o0 → xs",)) in graph.edges
    assert Edge("n1", "n5") in graph.edges


def test_graph_of_a_task_has_one_node() -> None:
    task = TaskSpec(name="wf.fit", interface=INTERFACE, loader="wf:fit")

    assert graph_of(TaskDocument(task=task)) == Graph("wf.fit", (Node("n0", "fit", "wf.fit"),))


def test_json() -> None:
    value = json.loads(json.dumps(as_json(graph_of(document()))))

    assert value["nodes"][3]["graph"]["edges"] == [
        {"from": "n3.n0", "to": "n3.n1", "kind": "data", "label": "", "values": ["o0 → x"]}
    ]
    assert {"from": "n1", "to": "n5", "kind": "order", "label": "", "values": []} in value["edges"]


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


def test_svg_is_self_contained_and_escaped() -> None:
    text = svg(graph_of(document()))

    root = ElementTree.fromstring(text)
    shown = ["".join(element.itertext()) for element in root.iter(f"{SVG}text")]
    assert '<b>"Report" & co' in shown
    assert "load" in shown
    assert len(root.findall(f".//{SVG}rect[@class='task']")) == 7
    assert len(root.findall(f".//{SVG}rect[@class='cluster']")) == 1
    assert len(root.findall(f".//{SVG}path[@marker-end]")) == 10
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|<script|@import|href=", text)


def test_svg_is_deterministic() -> None:
    assert svg(graph_of(document())) == svg(graph_of(document()))


def test_control_characters_are_removed_from_xml() -> None:
    ElementTree.fromstring(svg(Graph("g", (Node("n0", "a\x00\x1bb", "wf.a"),))))


def test_an_empty_workflow_can_be_drawn() -> None:
    empty = Graph("wf.empty")

    ElementTree.fromstring(svg(empty))
    assert mermaid(empty) == "flowchart TD"
    assert lay_out(empty) == Layout(0, 0)


@pytest.mark.parametrize("fan", [1, 7, 40, 200])
def test_boxes_are_below_their_inputs_without_overlap(fan: int) -> None:
    middle = [Node(f"m{index}", f"step {index}", "wf.m") for index in range(fan)]
    edges = [Edge("a", node.path, ("x",)) for node in middle] + [Edge(node.path, "z", ("x",)) for node in middle]
    graph = Graph("g", (Node("a", "a", "wf.a"), *middle, Node("z", "z", "wf.z")), (*edges, Edge("a", "z", ("x",))))

    layout = lay_out(graph)

    boxes = {box.key: box for box in layout.boxes}
    for edge in graph.edges:
        source, target = boxes[edge.source], boxes[edge.target]
        assert source.y + source.height < target.y
    assert layout.width < 1.5 * ROW_WIDTH
    rows: dict[float, list[Box]] = {}
    for node in middle:
        rows.setdefault(boxes[node.path].y, []).append(boxes[node.path])
    for row in rows.values():
        for left, right in pairwise(sorted(row, key=lambda box: box.x)):
            assert left.x + left.width < right.x
    for box in layout.boxes:
        assert box.x >= 0
        assert box.x + box.width <= layout.width + 0.001
        assert box.y + box.height <= layout.height + 0.001


def test_long_edge_avoids_boxes() -> None:
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


def _overlaps(one: Box, other: Box) -> bool:
    return (
        one.x < other.x + other.width
        and other.x < one.x + one.width
        and one.y < other.y + other.height
        and other.y < one.y + one.height
    )


def _check_no_overlaps(layout: Layout) -> int:
    """Assert that boxes do not overlap and are inside the drawing; return their number."""
    boxes = [*layout.boxes, *layout.labels]
    for index, box in enumerate(boxes):
        assert -0.001 <= box.x <= box.x + box.width <= layout.width + 0.001
        assert -0.001 <= box.y <= box.y + box.height <= layout.height + 0.001
        assert not [other.key for other in boxes[index + 1 :] if _overlaps(box, other)]
    return len(boxes) + sum(_check_no_overlaps(box.inner) for box in layout.boxes if box.inner is not None)


def test_boxes_and_labels_do_not_overlap() -> None:
    assert _check_no_overlaps(lay_out(graph_of(every_kind()))) == 27


def every_node(graph: Graph) -> dict[str, Node]:
    found = {node.path: node for node in graph.nodes}
    for node in graph.nodes:
        if node.inner is not None:
            found |= {path: inner for path, inner in every_node(node.inner).items() if path not in found}
    return found


def test_every_kind_has_a_shape_and_notes() -> None:
    graph = graph_of(every_kind())

    drawn = {node.path: (node.shape, node.title, node.notes) for node in every_node(graph).values()}
    assert graph.notes == ("timeout 1d",)
    assert drawn["n1"] == ("branch", "quality", ())
    assert drawn["n1?"] == ("decision", "quality", ())
    assert drawn["n1.fail2"] == ("fail", "the data is too bad to go on with", ())
    assert drawn["n1.n1.n1"] == ("workflow", "sub", ("timeout 10m",))
    assert drawn["n2"] == ("map", "fit ×n", ("10 at once", "at least 90 % succeed", "1 retry"))
    assert drawn["n3"] == ("dynamic", "grow", ("graph made at run time", "timeout 1m30s"))
    assert drawn["n4"] == ("launch_plan", "nightly", ("separate execution",))
    assert drawn["n5"] == ("gate", "approve looks-good", ("timeout 1h",))
    assert drawn["n6"] == ("gate", "input threshold: float", ())
    assert drawn["n7"] == ("sleep", "sleep 1h30m", ())
    assert drawn["n8"] == ("map", "sub ×3", ("timeout 10m",))
    assert drawn["n8.*.n0"] == ("task", "fit", ("1 retry",))
    assert drawn["n9"] == ("task", "report", ("3 retries", "timeout 30m", "queued at most 5m", "deadline 2h"))
    assert drawn["fn0"] == ("task", "clean_up", ())
    assert Edge("!", "fn0", kind="failure") in graph.edges


def test_edges_of_a_branch() -> None:
    graph = graph_of(every_kind())

    inner = graph.nodes[1].inner
    assert inner is not None
    assert [(edge.source, edge.target, edge.label) for edge in inner.edges] == [
        ("n1?", "n1.n0", "n0.score.best >= 0.9"),
        ("n1.n1?", "n1.n1.n0", "x > 3 and (n0 == 1 or n0 == 2)"),
        ("n1.n1?", "n1.n1.n1", "else"),
        ("n1?", "n1.n1?", "n0.score.best >= 0.5"),
        ("n1?", "n1.fail2", "else"),
    ]
    [into] = [edge for edge in graph.edges if edge.target == "n1"]
    assert into.source == "n0"
    assert into.values == ("score → condition", "o0 → n0.x", "o0 → n1.condition", "o0 → n1.n0.x", "o0 → n1.n1.x")


def test_every_kind_in_svg() -> None:
    root = ElementTree.fromstring(svg(graph_of(every_kind())))

    for element, kind, count in (
        ("polygon", "decision", 2), ("polygon", "gate", 2), ("polygon", "dynamic", 1), ("rect", "sleep", 1),
        ("rect", "launch_plan", 1), ("rect", "map", 5), ("rect", "fail", 1), ("rect", "failure", 1), ("rect", "frame", 1),
        ("path", "edge when-failed", 1), ("text", "label", 5),
    ):  # fmt: skip
        assert len(root.findall(f".//{SVG}{element}[@class='{kind}']")) == count, kind
    shown = ["".join(element.itertext()) for element in root.iter(f"{SVG}text")]
    assert "wf.everything, timeout 1d" in shown
    assert "10 at once · at least 90 % succeed" in shown


def test_every_kind_in_mermaid() -> None:
    lines = [line.strip() for line in mermaid(graph_of(every_kind())).splitlines()]

    assert lines[:4] == ["---", "title: wf.everything, timeout 1d", "---", "flowchart TD"]
    for line in (
        'subgraph node_n1[" "]',
        'node_n1__if{"n1 quality"}',
        'node_n1__if -->|"n0.score.best #62;#61; 0.9"| node_n1__n0',
        'node_n1__fail2[/"the data is too bad to go on with"\\]',
        'node_n2[["n2 fit #215;n<br/>10 at once<br/>at least 90 #37; succeed<br/>1 retry"]]',
        'node_n3{{"n3 grow<br/>graph made at run time<br/>timeout 1m30s"}}',
        'node_n4>"n4 nightly<br/>separate execution"]',
        'node_n5[/"n5 approve looks-good<br/>timeout 1h"/]',
        'node_n7(["n7 sleep 1h30m"])',
        "node_on_failure -.-> node_fn0",
    ):
        assert line in lines


def test_every_kind_in_dot() -> None:
    text = dot(graph_of(every_kind()))

    for part in (
        '"n1?" [label="n1 quality", tooltip="", shape=diamond, style=solid];',
        '"n1?" -> "n1.n0" [label="n0.score.best >= 0.9", tooltip="n0.score.best >= 0.9"];',
        '"n2" [label="n2 fit ×n\\n10 at once\\nat least 90 % succeed\\n1 retry", tooltip="wf.fit", shape=box3d, style=solid];',
        '"n1.n1.n1.n1" -> "n2" [tooltip="o0 → x", ltail="cluster_n1"];',  # never from a failure
        '"!" -> "fn0" [style=dashed, color="#b91c1c"];',
    ):
        assert part in text


@pytest.mark.parametrize(("seconds", "text"), [(0.25, "250ms"), (1.5, "1.5s"), (45, "45s"), (5400, "1h30m"), (90061, "1d1h1m1s")])
def test_spans(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_deep_calls_are_not_drawn_completely() -> None:
    """Forty levels, each calling the next twice: too large for a complete drawing."""
    levels = {
        f"wf.l{level}": WorkflowSpec(
            name=f"wf.l{level}",
            interface=INTERFACE,
            nodes=tuple(
                NodeSpec(
                    id=f"n{call}", kind="workflow" if level < 39 else "task", target=f"wf.l{level + 1}" if level < 39 else "wf.t"
                )
                for call in range(2)
            ),
        )
        for level in range(40)
    }

    graph = graph_of(WorkflowDocument(name="wf.l0", workflows=levels))

    assert count_nodes(graph) <= NODES_DRAWN
    assert any("2 nodes, not drawn" in node.notes for node in every_node(graph).values())


@pytest.mark.parametrize("count", short_and_long(2_000, 10_000))
def test_large_graph_has_a_hint(
    project: Path, flytemp: Callable[..., Any], count: int
) -> None:
    nodes = tuple(
        step(f"n{index}", "wf.t", x=out(f"n{index // 2}") if index else LiteralBinding(value=1))
        for index in range(count)
    )
    large = WorkflowDocument(
        name="wf.large",
        workflows={"wf.large": WorkflowSpec(name="wf.large", interface=Interface(), nodes=nodes)},
        tasks={"wf.t": TaskSpec(name="wf.t", interface=INTERFACE, loader="wf:t")},
    )
    registry = Registry(open_store(str(project / ".flytemp" / "store")))
    registry.register([large], project="default", domain="development", version="v1")

    drawn = flytemp("graph", "wf.large", "-o", "svg")
    chart = flytemp("graph", "wf.large")

    assert drawn.out.count('<rect class="task"') == count
    assert drawn.err.startswith(f"hint: the drawing has {count} nodes")
    assert f"this graph has {count - 1}" in chart.err


def test_long_chain() -> None:
    nodes = tuple(Node(f"n{index}", "step", "wf.step") for index in range(2000))
    edges = tuple(Edge(f"n{index}", f"n{index + 1}", ("x",)) for index in range(1999))

    assert len(lay_out(Graph("g", nodes, edges)).boxes) == 2000
