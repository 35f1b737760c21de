"""Launch plans: executions of their own, started with literals, and heard of when they end."""

from __future__ import annotations

from typing import Any

from flytemp_worker.engine import CancelChild, ChildClosed, RequestIO, StartChild

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
    """Its input is too large to be inline."""
    nodes = (node("n0", "big", a=1), node("n1", "lp", kind="launch_plan", a=out("n0", "s")))
    run = Simulation(document(workflow("wf", *nodes, outputs={"o": out("n1")}), PLAN, BIG))
    run.succeed("n0")
    return run


def error_of(run: Simulation) -> dict[str, object]:
    assert run.finish is not None
    assert run.finish.error is not None
    return run.finish.error


def test_an_execution_is_started_with_literals_and_its_outputs_are_the_nodes() -> None:
    run = launching()
    assert run.issued[0] == [StartChild("n0", 1, REFERENCE, {"a": 3})]
    assert run.restore() == [StartChild("n0", 1, REFERENCE, {"a": 3}, resumed=True)]
    run.close("n0")
    run.succeed("n1")
    assert run.outputs() == evaluate(run.program, "wf", {})


def test_large_outputs_are_a_link() -> None:
    run = launching()
    run.close("n0", travels=False)
    assert run.in_flight["n1"].inputs == {"a": {"object": "mem://executions/n0/1", "output": "x"}}
    run.restore()
    run.succeed("n1")
    assert run.outputs() == evaluate(run.program, "wf", {})


def test_inputs_that_are_not_inline_are_asked_for_and_lie_in_the_store_when_they_are_large() -> None:
    run = after_big()
    assert run.asked["n1"] == RequestIO("n1", 1, "inputs", {"values": {"a": {"result": "n0/1", "output": "s"}}})
    run.restore()
    assert run.tell("n1") == [StartChild("n1", 1, REFERENCE, {}, "mem://inputs/n1/1")]
    run.restore()
    run.close("n1")
    assert run.outputs() == evaluate(run.program, "wf", {})


def test_what_runs_is_not_asked_about_again_when_it_is_resumed() -> None:
    nodes = (node("n0", "big", a=1), node("n1", "lp", kind="launch_plan", a=out("n0")))
    run = Simulation(document(workflow("wf", *nodes, outputs={"o": out("n1")}), PLAN, BIG))
    run.succeed("n0", travels=False)
    run.tell("n1")
    assert run.restore() == [StartChild("n1", 1, REFERENCE, {}, resumed=True)]
    run.cancel()
    assert run.stopping == {"n1"}
    run.close("n1", "ABORTED")
    assert run.phases["n1"] == "ABORTED"


def test_executions_take_no_share_of_max_parallelism() -> None:
    nodes = (node("n0", "lp", kind="launch_plan", a=1), node("n1", "lp", kind="launch_plan", a=2), node("n2", "free"))
    run = Simulation(document(workflow("wf", *nodes), PLAN, FREE), limits=Limits(max_parallelism=1))
    assert (list(run.executions), run.running) == (["n0", "n1"], ["n2@1.1"])


def test_a_failed_execution_fails_the_node_with_its_error() -> None:
    run = launching()
    error = {"kind": "USER", "code": "ValueError", "message": "execution e, node n3: odd", "retryable": True}
    run.close("n0", "FAILED", error=error)
    assert run.phases == {"n0": "FAILED", "n1": "SKIPPED"}
    assert error_of(run) == {**error, "retryable": False, "node": "n0", "task": "lp", "attempt": 1}


def test_an_execution_that_says_nothing_but_its_phase() -> None:
    run = launching()
    run.close("n0", "ABORTED")
    assert run.phases["n0"] == "FAILED"
    assert (error_of(run)["code"], error_of(run)["message"]) == ("ChildEnded", "its execution is ABORTED")


def test_cancel_stops_the_execution() -> None:
    run = launching()
    assert run.cancel("not needed") == [CancelChild("n0", -1, 1, "the execution was cancelled")]
    run.restore()
    run.close("n0", "ABORTED")
    assert run.phases == {"n0": "ABORTED", "n1": "SKIPPED"}


def test_an_execution_that_succeeded_first_is_kept() -> None:
    run = launching()
    run.cancel()
    run.close("n0")
    assert run.phases == {"n0": "SUCCEEDED", "n1": "SKIPPED"}


def test_its_end_is_heard_twice() -> None:
    run = launching()
    run.close("n0")
    assert run.do(run.heard[0]) == []
    assert run.do(ChildClosed("n0", -1, 1, "FAILED")) == []
    assert run.phases["n0"] == "SUCCEEDED"


def test_cancel_while_its_inputs_are_asked_for() -> None:
    run = after_big()
    run.cancel()
    run.tell("n1")
    assert run.phases == {"n0": "SUCCEEDED", "n1": "ABORTED"}
    assert not run.executions
