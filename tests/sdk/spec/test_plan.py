"""Plans of documents, and the constants that they refer to."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flytemp.errors import CorruptData
from flytemp.literals.types import SimpleType
from flytemp.spec.models import (
    Backoff,
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
    TaskDocument,
    TaskSettings,
    TaskSpec,
    Variable,
    WorkflowDocument,
    WorkflowSpec,
)
from flytemp.spec.pages import PAGE_BYTES, from_pages, to_pages
from flytemp.spec.plan import constant, plan_of
from tests.sizes import short_and_long

ANY = SimpleType(kind="any")
LARGE = "t" * 3_000


def literal(value: Any) -> LiteralBinding:
    return LiteralBinding(value=value)


def interface(*inputs: str | Variable, outputs: tuple[str, ...] = ("o",)) -> Interface:
    variables = (Variable(name=name, type=ANY) if isinstance(name, str) else name for name in inputs)
    return Interface(inputs=tuple(variables), outputs=tuple(Variable(name=name, type=ANY) for name in outputs))


TASK = TaskSpec(
    name="program.train",
    interface=interface("data", Variable(name="rate", type=ANY, required=False, default=0.1)),
    loader="program:train",
    settings=TaskSettings(retries=Retries(count=2, backoff=Backoff(base_seconds=5, factor=3, cap_seconds=90, jitter=False))),
)


def program(*nodes: NodeSpec, outputs: dict[str, Binding] | None = None, **subs: WorkflowSpec) -> WorkflowDocument:
    """The workflow ``program.wf(x)`` of ``nodes``, with `TASK` and ``subs`` at hand."""
    face = interface("x", outputs=tuple(outputs or ()))
    root = WorkflowSpec(name="program.wf", interface=face, nodes=nodes, outputs=outputs or {})
    workflows = {spec.name: spec for spec in (root, *subs.values())}
    return WorkflowDocument(name="program.wf", workflows=workflows, tasks={TASK.name: TASK})


def train(node_id: str, data: Binding, *after: str, **more: Any) -> NodeSpec:
    return NodeSpec(id=node_id, kind="task", target=TASK.name, inputs={"data": data}, after=after, **more)


def nodes_of(document: WorkflowDocument) -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = plan_of(document)["graphs"]["program.wf"]["nodes"]
    return nodes


# -------------------------------------------------------------------------------------------- plans


def test_complete_plan() -> None:
    document = program(
        train("n0", InputBinding(var="x", path=("rows", 0))),
        train("n1", OutputBinding(node="n0", var="o"), "n0"),
        outputs={"model": OutputBinding(node="n1", var="o", path=("best",))},
    )
    backoff = [5.0, 3.0, 90.0, False]
    assert plan_of(document) == {
        "root": "program.wf",
        "graphs": {
            "program.wf": {
                "policy": "fail-immediately",
                "nodes": [
                    {
                        "id": "n0",
                        "kind": "task",
                        "target": "program.train",
                        "name": "train",
                        "in": {"rate": {"literal": 0.1}, "data": {"input": "x", "path": ["rows", 0]}},
                        "needs": [],
                        "retries": 2,
                        "backoff": backoff,
                    },
                    {
                        "id": "n1",
                        "kind": "task",
                        "target": "program.train",
                        "name": "train",
                        "in": {"rate": {"literal": 0.1}, "data": {"node": 0, "output": "o"}},
                        "needs": [0],
                        "retries": 2,
                        "backoff": backoff,
                    },
                ],
                "out": {"model": {"node": 1, "output": "o", "path": ["best"]}},
            }
        },
    }


def test_needs_are_found_at_any_depth() -> None:
    deep = MapBinding(entries={"l": ListBinding(items=(OutputBinding(node="n1", var="o"), OutputBinding(node="n0", var="o")))})
    document = program(train("n0", literal(1)), train("n1", literal(2)), train("n2", deep, "n3", "n0"), train("n3", literal(3)))
    assert [node["needs"] for node in nodes_of(document)] == [[], [], [0, 1, 3], []]
    assert nodes_of(document)[2]["in"]["data"] == {
        "entries": {"l": {"items": [{"node": 1, "output": "o"}, {"node": 0, "output": "o"}]}}
    }


def test_overrides_of_a_node_replace_the_settings_of_its_task() -> None:
    overrides = NodeOverrides(name="Train it", settings=TaskSettings(retries=Retries(count=7)))
    (node,) = nodes_of(program(train("n0", literal(1), overrides=overrides)))
    assert (node["name"], node["retries"], node["backoff"]) == ("Train it", 7, [1.0, 2.0, 60.0, True])


def test_given_input_replaces_the_default_even_if_null() -> None:
    node = train("n0", literal(1))
    node = node.model_copy(update={"inputs": {**node.inputs, "rate": literal(None)}})
    assert nodes_of(program(node))[0]["in"]["rate"] == {"literal": None}


def test_sub_workflow_is_a_graph_of_its_own() -> None:
    sub = WorkflowSpec(
        name="program.sub",
        interface=interface("x"),
        nodes=(train("n0", InputBinding(var="x")),),
        outputs={"o": OutputBinding(node="n0", var="o")},
        failure_policy="fail-after-executable-nodes-complete",
    )
    call = NodeSpec(id="n0", kind="workflow", target="program.sub", inputs={"x": InputBinding(var="x")})
    plan = plan_of(program(call, sub=sub))
    assert plan["graphs"]["program.wf"]["nodes"] == [
        {
            "id": "n0",
            "kind": "workflow",
            "target": "program.sub",
            "name": "sub",
            "in": {"x": {"input": "x"}},
            "needs": [],
        }
    ]
    assert plan["graphs"]["program.sub"]["policy"] == "fail-after-executable-nodes-complete"


def test_task_launched_by_itself_is_a_workflow_of_one_node() -> None:
    plan = plan_of(TaskDocument(task=TASK))
    graph = plan["graphs"][plan["root"]]
    (node,) = graph["nodes"]
    assert (node["id"], node["target"]) == ("n0", "program.train")
    assert node["in"] == {"data": {"input": "data"}, "rate": {"input": "rate"}}  # the launch applies the default
    assert graph["out"] == {"o": {"node": 0, "output": "o"}}


def test_plan_is_plain_json() -> None:
    plan = plan_of(program(train("n0", InputBinding(var="x", path=("a", 1)))))
    assert json.loads(json.dumps(plan)) == plan


# --------------------------------------------------------------------------------------- constants


def named(binding: Any) -> list[list[Any]]:
    """The keys of all literals that a binding of a plan names."""
    if "constant" in binding:
        return [binding["constant"]]
    parts = binding.get("items", ()) or binding.get("entries", {}).values()
    return [key for part in parts for key in named(part)]


def test_literals_that_are_large_together_become_constants() -> None:
    data = ListBinding(items=(literal(LARGE), InputBinding(var="x"), MapBinding(entries={"of": literal(5), "in": literal([1])})))
    document = program(train("n0", data))
    inputs = nodes_of(document)[0]["in"]
    assert inputs["data"] == {
        "items": [
            {"constant": ["program.wf", "n0", "data", 0]},
            {"input": "x"},
            {"entries": {key: {"constant": ["program.wf", "n0", "data", 2, key]} for key in ("of", "in")}},
        ]
    }
    assert inputs["rate"] == {"constant": ["program.wf", "n0", "rate"]}
    keys = [key for binding in inputs.values() for key in named(binding)]
    assert sorted(json.dumps(constant(document, key)) for key in keys) == sorted(
        json.dumps(value) for value in (LARGE, 5, [1], 0.1)
    )


def test_large_literals_of_outputs_become_constants() -> None:
    document = program(outputs={"text": literal(LARGE), "pair": ListBinding(items=(literal(1), literal(None)))})
    out = plan_of(document)["graphs"]["program.wf"]["out"]
    assert out == {
        "text": {"constant": ["program.wf", "", "text"]},
        "pair": {"items": [{"constant": ["program.wf", "", "pair", 0]}, {"constant": ["program.wf", "", "pair", 1]}]},
    }
    assert constant(document, out["text"]["constant"]) == LARGE
    assert constant(document, out["pair"]["items"][1]["constant"]) is None


def test_large_literals_of_one_node_do_not_affect_other_nodes() -> None:
    nodes = nodes_of(program(train("n0", literal(LARGE)), train("n1", literal("small"))))
    assert nodes[1]["in"]["data"] == {"literal": "small"}


# -------------------------------------------------------------------------------------------- pages


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
@settings(max_examples=100, deadline=None)
def test_pages_are_read_back(value: Any) -> None:
    assert from_pages(to_pages(value)) == value


def test_pages_are_bounded_and_their_order_matters() -> None:
    noise = random.Random(1)
    value = [noise.getrandbits(60) for _ in range(150_000)]  # hardly compressible
    pages = to_pages(value)
    assert len(pages) > 2
    assert all(len(page) == PAGE_BYTES for page in pages[:-1])
    assert 0 < len(pages[-1]) <= PAGE_BYTES
    assert from_pages(pages) == value
    with pytest.raises(CorruptData):
        from_pages(pages[::-1])


@pytest.mark.parametrize("pages", [[], [""], ["no base64 at all: äöü"], ["AAAA"], to_pages({"a": 1})[0][:-8]])
def test_damaged_pages_are_refused(pages: list[str] | str) -> None:
    with pytest.raises(CorruptData):
        from_pages(list(pages))


@pytest.mark.parametrize("count", short_and_long(2_000, 10_000))
def test_plan_of_many_nodes_has_few_pages(count: int) -> None:
    nodes = [train("n0", literal(0))]
    nodes += [train(f"n{index}", OutputBinding(node=f"n{index - 1}", var="o")) for index in range(1, count)]
    plan = plan_of(program(*nodes))
    pages = to_pages(plan)
    assert len(pages) <= 2
    assert from_pages(pages) == plan
