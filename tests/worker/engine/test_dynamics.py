"""Dynamic nodes: the task, the graph that it makes, and the nodes in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from flytemp.spec.models import WorkflowDocument
from flytemp_worker.engine.messages import CancelTask, RequestIO, TaskSucceeded
from flytemp_worker.engine.phases import IllegalMove

from .programs import document, given, mapped, node, out, task, workflow
from .reference_interpreter import World, bake, evaluate
from .simulation import Limits, Simulation

NEXT = task("next", "a")


def make(inputs: Mapping[str, Any]) -> WorkflowDocument:
    """Return a graph of two tasks in a row."""
    nodes = (node("n0", "next", a=given("a")), node("n1", "next", a=out("n0", "s")))
    return bake(document(workflow("dyn", *nodes, inputs=("a",), outputs={"x": out("n1"), "s": out("n0", "s")}), NEXT), inputs)


def nothing(inputs: Mapping[str, Any]) -> WorkflowDocument:
    return bake(document(workflow("dyn", inputs=("a",), outputs={"x": given("a"), "s": {"pad": "p" * 5_000}})), inputs)


def deeper(inputs: Mapping[str, Any]) -> WorkflowDocument:
    spec = task("dyn", "a", dynamic=True)
    inner = node("n0", "dyn", kind="dynamic", a=given("a"))
    return bake(document(workflow("dyn", inner, inputs=("a",), outputs={"x": out("n0"), "s": out("n0", "s")}), spec), inputs)


def dynamic(makes: Any = make, *, retries: int = 0, deadline: float | None = None, depth: int = 50) -> Simulation:
    spec = task("dyn", "a", retries=retries, deadline=deadline, dynamic=True)
    nodes = (node("n0", "dyn", kind="dynamic", a=given("v")), node("n1", "next", a=out("n0")))
    program = document(workflow("wf", *nodes, inputs=("v",), outputs={"o": out("n1"), "s": out("n0", "s")}), spec, NEXT)
    return Simulation(program, {"v": 4}, limits=Limits(max_dynamic_depth=depth), dynamics={"dyn": makes})


def outcome(run: Simulation) -> dict[str, Any]:
    return evaluate(run.program, "wf", {"v": 4}, World(run.stored.dynamics))


def test_dynamic_runs_its_task_reads_its_graph_and_runs_it() -> None:
    run = dynamic()
    assert run.running == ["n0@1.1"]
    assert run.succeed("n0") == [RequestIO("n0", 1, "expand", {})]
    assert run.row("n0")["message"] == "its graph is being read"
    run.restore()
    run.complete_io("n0")
    first = run.in_flight["n0.n0"]
    assert (first.graph, first.source, first.inputs) == ("dyn", "n0/1", {"a": {"literal": 4}})
    assert run.phases == {"n0": "RUNNING", "n0.n0": "RUNNING", "n0.n1": "WAITING", "n1": "WAITING"}
    run.restore()
    for path in ("n0.n0", "n0.n1", "n1"):
        run.succeed(path)
    assert run.outputs() == outcome(run)


def test_large_constants_of_a_dynamic_graph_stay_in_its_document() -> None:
    run = dynamic(nothing)
    run.succeed("n0")
    run.complete_io("n0")
    run.succeed("n1")
    assert run.finish is not None
    assert run.finish.outputs is not None
    assert run.finish.outputs["s"] == {"constant": ["dyn", "", "s"], "document": "n0/1"}
    assert run.outputs() == outcome(run)


def test_second_attempt_makes_another_graph() -> None:
    run = dynamic(retries=1)
    run.fail("n0")
    run.fire("n0")
    run.succeed("n0")
    run.complete_io("n0")
    assert run.in_flight["n0.n0"].source == "n0/2"


def test_invalid_graph_fails_the_dynamic() -> None:
    run = dynamic()
    run.succeed("n0")
    run.complete_io(
        "n0", {"kind": "USER", "code": "invalid-program", "message": "two nodes wait for each other", "retryable": False}
    )
    assert run.phases == {"n0": "FAILED", "n1": "SKIPPED"}


def test_failure_in_the_graph_fails_the_dynamic_without_a_retry() -> None:
    run = dynamic(retries=3)
    run.succeed("n0")
    run.complete_io("n0")
    run.fail("n0.n0")
    assert run.phases == {"n0": "FAILED", "n0.n0": "FAILED", "n0.n1": "SKIPPED", "n1": "SKIPPED"}
    assert run.finish is not None
    assert run.finish.error is not None
    assert run.finish.error["node"] == "n0.n0"


def test_recursion_is_limited() -> None:
    run = dynamic(deeper, depth=2)
    for path in ("n0", "n0.n0"):
        run.succeed(path)
        run.complete_io(path)
    assert run.phases["n0.n0.n0"] == "FAILED"
    assert run.finish is not None
    assert run.finish.error is not None
    assert run.finish.error["code"] == "DynamicTooDeep"
    assert run.finish.error["code"] == "DynamicTooDeep"


def test_cancel_of_a_dynamic_in_each_stage() -> None:
    run = dynamic()
    assert run.cancel() == [CancelTask("n0", 1, 1)]
    run.stopped("n0")
    assert run.phases["n0"] == "ABORTED"

    run = dynamic()
    run.succeed("n0")
    run.cancel()
    assert run.phases["n0"] == "CANCELLING"
    run.restore()
    run.complete_io("n0")
    assert run.phases == {"n0": "ABORTED", "n1": "SKIPPED"}

    run = dynamic()
    run.succeed("n0")
    run.complete_io("n0")
    assert run.cancel() == [CancelTask("n0.n0", 1, 1)]
    run.restore()
    run.stopped("n0.n0")
    assert run.phases == {"n0": "ABORTED", "n0.n0": "ABORTED", "n0.n1": "SKIPPED", "n1": "SKIPPED"}


def test_deadline_of_a_dynamic_spans_all_stages() -> None:
    run = dynamic(deadline=60)
    run.succeed("n0")
    run.complete_io("n0")
    run.restore()
    run.fire("n0", "deadline")
    run.stopped("n0.n0")
    assert run.phases == {"n0": "TIMED_OUT", "n0.n0": "ABORTED", "n0.n1": "SKIPPED", "n1": "SKIPPED"}
    assert run.row("n0")["error"]["code"] == "Timeout"


def test_second_result_of_a_dynamics_task_is_illegal() -> None:
    run = dynamic()
    run.succeed("n0")
    with pytest.raises(IllegalMove, match="n0"):
        run.engine.step(TaskSucceeded("n0", 1, 1, {}, 2), run.at)


def test_each_call_of_a_map_over_a_dynamic_makes_its_own_graph() -> None:
    spec = task("dyn", "a", dynamic=True)
    program = document(workflow("wf", mapped("n0", "dyn", of="dynamic", a=[1, 2]), outputs={"x": out("n0")}), spec, NEXT)
    run = Simulation(program, dynamics={"dyn": make})
    for path in ("n0.0", "n0.1"):
        run.succeed(path)
        run.complete_io(path)
    assert [task.source for task in run.in_flight.values()] == ["n0.0/1", "n0.1/1"]
    run.restore()
    for path in ("n0.1.n0", "n0.0.n0", "n0.1.n1", "n0.0.n1"):
        run.succeed(path)
    assert run.outputs() == evaluate(program, "wf", {}, World({"dyn": make}))
