"""Failure nodes (on_failure): they run last when their workflow fails or is cancelled."""

from __future__ import annotations

import pytest

from flytemp.spec.models import ErrorBinding, NodeSpec
from flytemp_worker.engine.messages import CancelTask, RunTask, TimerFired

from .programs import AT_ONCE, AT_THE_END, Policy, document, given, launch_plan, node, task, workflow
from .simulation import Simulation

FREE = task("free", retries=1)
ON_ERROR = task("on_error", "e", "a")
HANDLER = node("fn0", "on_error", e=ErrorBinding(), a=given("a"))


def handled(policy: Policy = AT_ONCE, handler: NodeSpec = HANDLER, timeout: float | None = None) -> Simulation:
    """Return a sub-workflow with a failure node, next to a task."""
    inner = workflow(
        "inner", node("n0", "free"), node("n1", "free"), inputs=("a",), policy=policy, on_failure=handler, timeout=timeout
    )
    outer = workflow("wf", node("s", "inner", sub=True, a=5), node("t", "free"), policy=AT_THE_END)
    cleanup = workflow("cleanup", node("n0", "free"), node("n1", "free"), inputs=("a",))
    return Simulation(document(outer, inner, cleanup, FREE, ON_ERROR, launch_plan("lp", "a")))


def test_failure_node_does_not_run_on_success() -> None:
    run = handled()
    for path in ("s.n0", "s.n1", "t"):
        run.succeed(path)
    assert "s.fn0" not in run.phases


def test_failure_node_runs_last_with_the_error() -> None:
    run = handled()
    run.fail("s.n0", "ValueError", "odd", retryable=False)
    assert "s.fn0" not in run.phases  # s.n1 is stopping
    commands = run.stopped("s.n1")
    error = {"literal": {"message": "odd", "failed_node_id": "s.n0"}}
    assert commands == [RunTask("s.fn0", "inner", "fn0", "on_error", "on_error", 1, 1, {"e": error, "a": {"literal": 5}})]
    assert run.phases["s"] == "RUNNING"
    run.restore()
    run.succeed("s.fn0")
    assert run.phases["s"] == "FAILED"
    run.succeed("t")
    assert run.finish is not None
    assert run.finish.error is not None
    assert run.finish.error["message"] == "odd"


def test_failure_node_waits_for_executable_nodes_by_the_policy() -> None:
    run = handled(AT_THE_END)
    run.fail("s.n0", retryable=False)
    assert "s.fn0" not in run.phases
    run.succeed("s.n1")
    assert run.phases["s.fn0"] == "RUNNING"


def test_failure_node_is_not_stopped() -> None:
    run = handled()
    run.fail("s.n0", retryable=False)
    run.stopped("s.n1")
    assert run.cancel() == [CancelTask("t", 1, 1)]
    assert run.phases["s.fn0"] == "RUNNING"
    run.stopped("t")
    run.restore()
    assert run.finish is None
    run.succeed("s.fn0")
    assert run.phases["s"] == "FAILED"
    assert run.finish is not None
    assert run.finish.phase == "ABORTED"


def test_failure_node_runs_on_cancellation() -> None:
    run = handled()
    run.cancel("not needed")
    for path in ("s.n0", "s.n1", "t"):
        run.stopped(path)
    error = run.in_flight["s.fn0"].inputs["e"]
    assert error == {"literal": {"message": "the workflow is stopping", "failed_node_id": ""}}
    run.succeed("s.fn0")
    assert run.phases["s"] == "ABORTED"


def test_failed_failure_node_adds_to_the_error() -> None:
    run = handled(handler=node("fn0", "free"))
    run.fail("s.n0", message="odd", retryable=False)
    run.stopped("s.n1")
    run.fail("s.fn0")
    run.fire("s.fn0")
    run.fail("s.fn0", message="no mail")
    assert (run.phases["s.fn0"], run.phases["s"]) == ("FAILED", "FAILED")
    assert run.row("s")["error"]["message"] == "odd (its on_failure failed, too: no mail)"


@pytest.mark.parametrize("timeout", [None, 60])
def test_failure_in_a_failure_workflow_stops_only_that_workflow(timeout: float | None) -> None:
    run = handled(handler=node("fn0", "cleanup", sub=True, a=given("a")), timeout=timeout)
    if timeout is None:
        run.cancel()
        run.stopped("t")
    else:
        run.fire("s", "timeout")
    run.stopped("s.n0")
    run.stopped("s.n1")
    assert run.running[-2:] == ["s.fn0.n0@1.1", "s.fn0.n1@1.1"]
    run.fail("s.fn0.n0", message="no disk", retryable=False)
    assert run.stopping == {"s.fn0.n1"}
    run.restore()
    run.stopped("s.fn0.n1")
    assert run.phases["s.fn0"] == "FAILED"
    assert run.phases["s"] == ("ABORTED" if timeout is None else "TIMED_OUT")
    if timeout is not None:
        run.succeed("t")
    assert run.finish is not None


def test_launch_plan_as_failure_node() -> None:
    run = handled(handler=node("fn0", "lp", kind="launch_plan", a=given("a")))
    run.fail("s.n0", retryable=False)
    run.stopped("s.n1")
    assert run.executions["s.fn0"].inputs == {"a": 5}
    run.close("s.fn0")
    assert run.phases["s"] == "FAILED"


def test_late_time_out_does_not_stop_the_failure_node() -> None:
    run = handled(AT_THE_END, timeout=60)
    run.fail("s.n0", retryable=False)
    run.succeed("s.n1")
    assert run.do(TimerFired("s", 0, -1)) == []
    run.succeed("s.fn0")
    assert run.phases["s"] == "FAILED"


def test_failure_node_of_the_execution() -> None:
    program = document(
        workflow("wf", node("n0", "free"), on_failure=node("fn0", "on_error", e=ErrorBinding(), a=1)), FREE, ON_ERROR
    )
    run = Simulation(program)
    run.cancel("not needed")
    run.stopped("n0")
    assert run.running == ["fn0@1.1"]
    run.succeed("fn0")
    assert run.finish is not None
    assert (run.finish.phase, run.finish.reason) == ("ABORTED", "not needed")
