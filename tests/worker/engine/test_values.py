"""Inputs of tasks: inline values if they are small together, else references."""

from __future__ import annotations

from typing import Any

import pytest

from flytemp.errors import InputError
from flytemp.spec.models import LiteralBinding, MapBinding
from flytemp_worker.engine.messages import Finish

from .programs import Json, bind, document, given, node, out, several, task, workflow
from .reference_interpreter import evaluate
from .simulation import Simulation

ONE = task("one", "a")
TWO = task("two", "a", "b")


def inputs_of(run: Simulation, path: str) -> dict[str, Any]:
    return run.in_flight[path].inputs


def fed(size: int, *, inline: bool = True) -> Simulation:
    """Return an execution in which n1 takes an output of ``size`` bytes from n0, and two small ones."""
    nodes = (
        node("n0", "one", a=1),
        node("small", "one", a=2),
        node("n1", "two", a=out("n0", "s", "text"), b=several(out("small"), out("small", "s", "l", 0), 5)),
    )
    run = Simulation(document(workflow("wf", *nodes), ONE, TWO))
    run.succeed("small", {"x": 1, "s": {"l": [2]}})
    run.succeed("n0", {"x": 1, "s": {"text": "t" * size}}, inline=inline)
    return run


def test_small_outputs_are_inline() -> None:
    run = fed(8_000)
    assert inputs_of(run, "n1") == {
        "a": {"literal": "t" * 8_000},
        "b": {"items": [{"literal": 1}, {"literal": 2}, {"literal": 5}]},
    }


def test_outputs_over_8_kib_are_references_and_tiny_ones_stay_inline() -> None:
    run = fed(8_192)
    assert inputs_of(run, "n1") == {
        "a": {"result": "n0/1", "output": "s", "path": ["text"]},
        "b": {"items": [{"literal": 1}, {"literal": 2}, {"literal": 5}]},
    }
    assert run.value(inputs_of(run, "n1")["a"]) == "t" * 8_192


def test_stored_outputs_are_references() -> None:
    run = fed(10, inline=False)
    assert inputs_of(run, "n1")["a"] == {"result": "n0/1", "output": "s", "path": ["text"]}
    assert inputs_of(run, "n1")["b"] == {"items": [{"literal": 1}, {"literal": 2}, {"literal": 5}]}


def test_many_small_outputs_are_references_together() -> None:
    nodes = [node(f"n{index}", "one", a=index) for index in range(20)]
    join = node("join", "one", a=several(*(out(item.id, "s") for item in nodes)))
    run = Simulation(document(workflow("wf", *nodes, join), ONE))
    for item in nodes:
        run.succeed(item.id, {"x": 0, "s": "t" * 1_000})
    references = inputs_of(run, "join")["a"]["items"]
    assert references == [{"result": f"n{index}/1", "output": "s"} for index in range(20)]


def test_reference_has_the_successful_attempt() -> None:
    nodes = (node("n0", "one", a=1), node("n1", "one", a=out("n0")))
    run = Simulation(document(workflow("wf", *nodes), task("one", "a", retries=1)))
    run.fail("n0")
    run.fire("n0")
    run.succeed("n0", inline=False)
    assert inputs_of(run, "n1") == {"a": {"result": "n0/2", "output": "x"}}


@pytest.mark.parametrize(
    ("text", "inline", "closed"),
    [
        ("short", True, {"literal": "short"}),
        ("t" * 8_000, True, {"literal": "t" * 8_000}),
        ("t" * 9_000, True, {"execution_input": "x", "path": ["text"]}),
        ("short", False, {"execution_input": "x", "path": ["text"]}),
    ],
)
def test_inputs_of_the_launch(text: str, inline: bool, closed: dict[str, Json]) -> None:
    program = document(workflow("wf", node("n0", "one", a=given("x", "text")), inputs=("x",)), ONE)
    run = Simulation(program, {"x": {"text": text}}, inline=inline)
    assert inputs_of(run, "n0") == {"a": closed}
    assert run.value(closed) == text


def test_large_literals_become_constants() -> None:
    text = "t" * 3_000
    inner = workflow(
        "inner",
        node("n0", "one", a=given("v", "of", 0, "text")),
        node("n1", "one", a=given("v")),
        inputs=("v",),
        outputs={"o": given("v", "of", 1)},
    )
    value = MapBinding(entries={"of": several({"text": text}, 5), "n": bind(1)})
    program = document(
        workflow("wf", node("sub", "inner", sub=True, v=value), outputs={"o": out("sub", "o")}),
        inner,
        ONE,
    )
    run = Simulation(program)
    assert inputs_of(run, "sub.n0") == {"a": {"constant": ["wf", "sub", "v", "of", 0], "path": ["text"]}}
    assert run.value(inputs_of(run, "sub.n0")["a"]) == text
    assert inputs_of(run, "sub.n1") == {
        "a": {
            "entries": {
                "of": {"items": [{"constant": ["wf", "sub", "v", "of", 0]}, {"constant": ["wf", "sub", "v", "of", 1]}]},
                "n": {"constant": ["wf", "sub", "v", "n"]},
            }
        }
    }
    run.succeed("sub.n0")
    run.succeed("sub.n1")
    assert run.finish == Finish("SUCCEEDED", outputs={"o": {"constant": ["wf", "sub", "v", "of", 1]}})
    assert run.outputs() == evaluate(program, "wf", {}) == {"o": 5}


def test_path_continues_through_a_sub_workflows_output() -> None:
    """The caller takes a field of an item of the list that the sub-workflow returns."""
    inner = workflow(
        "inner",
        node("n0", "one", a=given("v")),
        inputs=("v",),
        outputs={"o": several(out("n0", "s"), given("v", "deep"))},
    )
    program = document(
        workflow(
            "wf",
            node("sub", "inner", sub=True, v=LiteralBinding(value={"deep": {"l": [7, 8]}})),
            node("n1", "two", a=out("sub", "o", 0, "l", 1), b=out("sub", "o", 1, "l", 0)),
        ),
        inner,
        ONE,
        TWO,
    )
    run = Simulation(program)
    run.succeed("sub.n0", {"x": 1, "s": {"l": [3, 4]}})
    assert inputs_of(run, "n1") == {"a": {"literal": 4}, "b": {"literal": 7}}


@pytest.mark.parametrize(
    ("binding", "text"),
    [
        (out("sub", "items", 2), "a: there is no 2 in a list of 2"),
        (out("sub", "entries", "c"), "a: there is no 'c' in a map with the keys p, q"),
        (out("n0", "s", "missing"), "a: the value has no 'missing'"),
    ],
)
def test_missing_path_fails_the_reading_node(binding: Json, text: str) -> None:
    inner = workflow(
        "inner",
        outputs={"items": several(1, 2), "entries": MapBinding(entries={"p": bind(1), "q": bind(2)})},
    )
    nodes = (node("n0", "one", a=0), node("sub", "inner", sub=True), node("n1", "one", "n0", a=binding))
    run = Simulation(document(workflow("wf", *nodes), inner, ONE))
    run.expect_missing_inputs("n1")
    run.succeed("n0", {"x": 1, "s": {"l": []}})
    assert run.phases["n1"] == "FAILED"
    assert run.finish is not None
    assert run.finish.error is not None
    assert run.finish.error["message"].startswith(text)
    assert run.finish.error["kind"] == "USER"
    assert run.finish.error["code"] == InputError.code
    assert run.finish.error["node"] == "n1"


def test_missing_path_in_an_output_fails_the_execution() -> None:
    program = document(workflow("wf", node("n0", "one", a=0), outputs={"o": out("n0", "s", "l", 3)}), ONE)
    run = Simulation(program)
    run.succeed("n0", {"x": 1, "s": {"l": [1]}})
    assert run.phases == {"n0": "SUCCEEDED"}
    assert run.finish is not None
    assert run.finish.phase == "FAILED"
    assert run.finish.error is not None
    assert run.finish.error["message"].startswith("o: the value at .l has no item 3")
