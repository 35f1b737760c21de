"""Maps whose calls run in the execution itself: concurrency, tolerated failures and outputs."""

from __future__ import annotations

from typing import Any

import pytest

from flytemp_worker.engine.messages import RequestIO, RunTask

from .programs import AT_THE_END, document, given, launch_plan, mapped, node, out, several, spread, task, workflow
from .reference_interpreter import World, compute, evaluate
from .simulation import Limits, Simulation

NEXT = task("next", "a", "b")
BIG = task("big", "a")
INNER = workflow("inner", node("n0", "next", a=given("a"), b=1), inputs=("a",), outputs={"x": out("n0")})


def over(items: object, retries: int = 0, **settings: Any) -> Simulation:
    spec = mapped("n0", "next", how=spread(**settings), a=items, b=7)
    program = document(workflow("wf", spec, outputs={"x": out("n0")}), task("next", "a", "b", retries=retries))
    return Simulation(program)


def error_of(run: Simulation) -> dict[str, object]:
    assert run.finish is not None
    assert run.finish.error is not None
    return run.finish.error


def test_map_makes_one_call_for_each_item() -> None:
    run = over([5, 6])
    assert run.running == ["n0.0@1.1", "n0.1@1.1"]
    assert run.in_flight["n0.1"] == RunTask("n0.1", "wf", "n0", "next", "next", 1, 1, {"a": {"literal": 6}, "b": {"literal": 7}})
    run.succeed("n0.1")
    run.restore()
    run.succeed("n0.0")
    assert run.outputs() == evaluate(run.program, "wf", {})
    assert run.row("n0")["items"] == 2


def test_map_of_an_empty_list() -> None:
    assert over([]).outputs() == {"x": []}


@pytest.mark.parametrize("concurrency", [0, 1, 2])
def test_map_respects_its_concurrency(concurrency: int) -> None:
    run = over([1, 2, 3], concurrency=concurrency)
    assert len(run.in_flight) == (concurrency or 3)
    run.succeed("n0.0")
    assert len(run.in_flight) == min(concurrency or 3, 2)
    run.restore()
    while run.in_flight:
        run.succeed(next(iter(run.in_flight)))
    assert run.outputs() == evaluate(run.program, "wf", {})


def test_calls_of_a_map_count_for_max_parallelism() -> None:
    spec = mapped("n0", "next", a=[1, 2, 3], b=0)
    run = Simulation(document(workflow("wf", spec), NEXT), limits=Limits(max_parallelism=2))
    assert run.running == ["n0.0@1.1", "n0.1@1.1"]


def test_one_failure_too_many_stops_the_map() -> None:
    run = over([1, 2, 3], concurrency=2)
    run.fail("n0.1", "ValueError", "odd")
    assert run.phases == {"n0": "CANCELLING", "n0.0": "CANCELLING", "n0.1": "FAILED", "n0.2": "SKIPPED"}
    run.stopped("n0.0")
    assert run.phases["n0"] == "FAILED"
    error = error_of(run)
    assert (error["node"], error["code"], error["message"], error["retryable"]) == ("n0.1", "ValueError", "odd", False)


def test_waiting_calls_are_skipped_on_failure() -> None:
    run = Simulation(document(workflow("wf", mapped("n0", "next", a=[1, 2, 3], b=0)), NEXT), limits=Limits(max_parallelism=1))
    run.fail("n0.0")
    assert run.phases == {"n0": "FAILED", "n0.0": "FAILED", "n0.1": "SKIPPED", "n0.2": "SKIPPED"}


@pytest.mark.parametrize("settings", [{"min_success_ratio": 0.5}, {"min_successes": 2, "min_success_ratio": 0.0}])
def test_tolerated_failures_are_null(settings: dict[str, Any]) -> None:
    run = over([1, 2, 3], **settings)
    run.fail("n0.1")
    assert run.phases["n0"] == "RUNNING"
    run.succeed("n0.0")
    run.succeed("n0.2")
    wanted = evaluate(run.program, "wf", {}, World(lost=frozenset({"n0.1"})))
    assert run.outputs() == wanted
    assert wanted["x"][1] is None
    assert run.phases["n0.1"] == "FAILED"


def test_one_failure_more_than_tolerated_fails_the_map() -> None:
    run = over([1, 2, 3], min_success_ratio=0.5)
    run.fail("n0.1")
    run.fail("n0.2", message="worse")
    run.stopped("n0.0")
    assert error_of(run)["message"] == "2 map items failed, and 1 may fail; the last error: worse"


def test_run_all_fails_after_all_calls_have_ended() -> None:
    run = over([1, 2, 3], concurrency=1, run_all=True)
    run.fail("n0.0", message="bad")
    assert run.running == ["n0.1@1.1"]
    run.succeed("n0.1")
    run.succeed("n0.2")
    assert run.phases["n0"] == "FAILED"
    assert (error_of(run)["message"], error_of(run)["node"]) == ("bad", "n0.0")


def test_lists_of_different_lengths_fail_the_map() -> None:
    spec = mapped("n0", "next", over=("a", "b"), a=[1, 2], b=several(1))
    run = Simulation(document(workflow("wf", spec), NEXT))
    assert run.phases == {"n0": "FAILED"}
    assert error_of(run)["message"] == "the mapped lists have different lengths: a 2, b 1"


def test_map_over_another_type_than_a_list_fails() -> None:
    run = over(3)
    assert error_of(run)["message"] == "a: cannot map over int: a list is required"


def test_length_of_a_stored_list_is_requested() -> None:
    spec = mapped("n1", "next", a=out("n0", "s", "l"), b=0)
    run = Simulation(document(workflow("wf", node("n0", "big", a=1), spec, outputs={"x": out("n1")}), BIG, NEXT))
    run.succeed("n0", inline=False)
    assert run.requested["n1"] == RequestIO(
        "n1", 1, "lengths", {"values": {"a": {"result": "n0/1", "output": "s", "path": ["l"]}}}
    )
    run.restore()
    run.complete_io("n1")
    assert run.in_flight["n1.1"].inputs["a"] == {"result": "n0/1", "output": "s", "path": ["l", 1]}
    run.succeed("n1.0")
    run.succeed("n1.1")
    assert run.outputs() == evaluate(run.program, "wf", {})


def test_large_map_outputs_are_stored_as_a_manifest() -> None:
    spec = mapped("n0", "big", a=[1, 2])
    run = Simulation(document(workflow("wf", spec, outputs={"s": out("n0", "s", 1, "a")}), BIG))
    run.succeed("n0.0")
    run.succeed("n0.1")
    ask = run.requested["n0"]
    assert ask.operation == "store"
    assert ask.argument["outputs"]["s"][1] == {"result": "n0.1/1", "output": "s"}
    run.restore()
    run.complete_io("n0")
    assert run.finish is not None
    assert run.finish.outputs == {"s": {"result": "n0/1", "output": "s", "path": [1, "a"]}}
    assert run.outputs() == {"s": compute("big", {"a": 2})["s"]["a"]}
    assert run.row("n0")["stored"] is True


def test_grouped_calls_share_a_try() -> None:
    run = over([1, 2, 3], items_per_task=2, retries=1)
    assert run.running == ["n0.g0@1.1", "n0.g1@1.1"]
    command = run.in_flight["n0.g0"]
    assert command.inputs == {}
    assert command.items == ({"a": {"literal": 1}, "b": {"literal": 7}}, {"a": {"literal": 2}, "b": {"literal": 7}})
    run.succeed("n0.g1")
    run.fail("n0.g0", failed_items=(1,))
    run.fire("n0.g0")
    run.restore()
    run.succeed("n0.g0")
    assert run.outputs() == evaluate(run.program, "wf", {})


def test_grouped_calls_are_counted_one_by_one() -> None:
    run = over([1, 2, 3, 4], items_per_task=2, min_success_ratio=0.75)
    run.fail("n0.g0", failed_items=(1,))
    run.succeed("n0.g1")
    assert run.requested["n0"].operation == "store"  # the outputs of a failed try are in the store
    run.complete_io("n0")
    assert run.outputs() == evaluate(run.program, "wf", {}, World(lost=frozenset({"n0.1"})))


def test_maps_over_workflows_and_launch_plans() -> None:
    nodes = (mapped("n0", "inner", of="workflow", a=[1, 2]), mapped("n1", "lp", of="launch_plan", a=[3, 4]))
    root = workflow("wf", *nodes, outputs={"x": out("n0"), "y": out("n1")})
    run = Simulation(document(root, INNER, NEXT, launch_plan("lp", "a")))
    assert run.running == ["n0.0.n0@1.1", "n0.1.n0@1.1"]
    assert sorted(run.executions) == ["n1.0", "n1.1"]
    for path in ("n0.0.n0", "n0.1.n0"):
        run.succeed(path)
    for path in ("n1.1", "n1.0"):
        run.close(path)
    assert run.outputs() == evaluate(run.program, "wf", {})


def test_failed_map_in_a_workflow_that_continues() -> None:
    spec = mapped("n0", "next", a=[1], b=0)
    run = Simulation(document(workflow("wf", spec, node("n1", "next", a=1, b=1), policy=AT_THE_END), NEXT))
    run.fail("n0.0")
    assert run.phases == {"n0": "FAILED", "n0.0": "FAILED", "n1": "RUNNING"}
