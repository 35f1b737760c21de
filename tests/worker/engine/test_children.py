"""Launch plans, which are child executions."""

from __future__ import annotations

from typing import Any

from flytemp_worker.engine.messages import CancelChild, ChildClosed, RequestIO, StartChild

from .programs import document, launch_plan, node, out, task, workflow
from .reference_interpreter import evaluate
from .simulation import Limits, Simulation

BIG = task("big", "a")
FREE = task("free")
PLAN = launch_plan("lp", "a")
REFERENCE = {"launch_plan": "lp", "project": None, "domain": None, "version": None}


def launching(value: Any = 3) -> Simulation:
    nodes = (node("n0", "lp", kind="launch_plan", a=value), node("n1", "big", a=out("n0")))
    return Simulation(document(workflow("wf", *nodes, outputs={"o": out("n1"), "s": out("n0", "s")}), PLAN, BIG))


def after_big() -> Simulation:
    """Return an execution of a launch plan whose input is too large to be inline."""
    nodes = (node("n0", "big", a=1), node("n1", "lp", kind="launch_plan", a=out("n0", "s")))
    run = Simulation(document(workflow("wf", *nodes, outputs={"o": out("n1")}), PLAN, BIG))
    run.succeed("n0")
    return run


def error_of(run: Simulation) -> dict[str, object]:
    assert run.finish is not None
    assert run.finish.error is not None
    return run.finish.error


def test_launch_plan_starts_with_literals_and_returns_the_childs_outputs() -> None:
    run = launching()
    assert run.issued[0] == [StartChild("n0", 1, REFERENCE, {"a": 3})]
    assert run.restore() == [StartChild("n0", 1, REFERENCE, {"a": 3}, resumed=True)]
    run.close("n0")
    run.succeed("n1")
    assert run.outputs() == evaluate(run.program, "wf", {})


def test_large_child_outputs_are_referenced_by_uri() -> None:
    run = launching()
    run.close("n0", inline=False)
    assert run.in_flight["n1"].inputs == {"a": {"object": "mem://executions/n0/1", "output": "x"}}
    run.restore()
    run.succeed("n1")
    assert run.outputs() == evaluate(run.program, "wf", {})


def test_stored_inputs_of_a_child_are_read_or_passed_by_uri() -> None:
    run = after_big()
    assert run.requested["n1"] == RequestIO("n1", 1, "inputs", {"values": {"a": {"result": "n0/1", "output": "s"}}})
    run.restore()
    assert run.complete_io("n1") == [StartChild("n1", 1, REFERENCE, {}, "mem://inputs/n1/1")]
    run.restore()
    run.close("n1")
    assert run.outputs() == evaluate(run.program, "wf", {})


def test_running_child_is_resumed_without_reading_its_inputs_again() -> None:
    nodes = (node("n0", "big", a=1), node("n1", "lp", kind="launch_plan", a=out("n0")))
    run = Simulation(document(workflow("wf", *nodes, outputs={"o": out("n1")}), PLAN, BIG))
    run.succeed("n0", inline=False)
    run.complete_io("n1")
    assert run.restore() == [StartChild("n1", 1, REFERENCE, {}, resumed=True)]
    run.cancel()
    assert run.stopping == {"n1"}
    run.close("n1", "ABORTED")
    assert run.phases["n1"] == "ABORTED"


def test_child_executions_use_no_slots() -> None:
    nodes = (node("n0", "lp", kind="launch_plan", a=1), node("n1", "lp", kind="launch_plan", a=2), node("n2", "free"))
    run = Simulation(document(workflow("wf", *nodes), PLAN, FREE), limits=Limits(max_parallelism=1))
    assert (list(run.executions), run.running) == (["n0", "n1"], ["n2@1.1"])


def test_failed_child_fails_the_node_with_its_error() -> None:
    run = launching()
    error = {"kind": "USER", "code": "ValueError", "message": "execution e, node n3: odd", "retryable": True}
    run.close("n0", "FAILED", error=error)
    assert run.phases == {"n0": "FAILED", "n1": "SKIPPED"}
    assert error_of(run) == {**error, "retryable": False, "node": "n0", "task": "lp", "attempt": 1}


def test_child_that_closes_without_an_error_fails_the_node() -> None:
    run = launching()
    run.close("n0", "ABORTED")
    assert run.phases["n0"] == "FAILED"
    assert (error_of(run)["code"], error_of(run)["message"]) == ("ChildEnded", "its execution is ABORTED")


def test_cancel_stops_the_child() -> None:
    run = launching()
    assert run.cancel("not needed") == [CancelChild("n0", -1, 1, "the execution was cancelled")]
    run.restore()
    run.close("n0", "ABORTED")
    assert run.phases == {"n0": "ABORTED", "n1": "SKIPPED"}


def test_child_that_succeeds_before_the_cancellation_is_kept() -> None:
    run = launching()
    run.cancel()
    run.close("n0")
    assert run.phases == {"n0": "SUCCEEDED", "n1": "SKIPPED"}


def test_repeated_end_of_a_child_is_ignored() -> None:
    run = launching()
    run.close("n0")
    assert run.do(run.reported[0]) == []
    assert run.do(ChildClosed("n0", -1, 1, "FAILED")) == []
    assert run.phases["n0"] == "SUCCEEDED"


def test_cancel_while_the_inputs_of_a_child_are_read() -> None:
    run = after_big()
    run.cancel()
    run.complete_io("n1")
    assert run.phases == {"n0": "SUCCEEDED", "n1": "ABORTED"}
    assert not run.executions
