"""Deadlines of nodes and time-outs of workflows."""

from __future__ import annotations

from flytemp_worker.engine.messages import CancelTask, CancelTimer, RunTask, StartTimer, TimerFired

from .programs import AT_THE_END, document, node, task, workflow
from .simulation import Limits, Simulation

FREE = task("free")
TIMED = task("timed", retries=2, deadline=60)


def error_of(run: Simulation) -> dict[str, object]:
    assert run.finish is not None
    assert run.finish.error is not None
    return run.finish.error


# ----------------------------------------------------------------------------------------- deadlines


def timed() -> Simulation:
    return Simulation(document(workflow("wf", node("n0", "timed"), node("n1", "free", "n0")), TIMED, FREE))


def test_deadline_starts_when_the_node_is_ready_and_spans_all_attempts() -> None:
    run = timed()
    assert run.issued[0][0] == StartTimer("n0", 0, 0, 60, "deadline")
    run.fail("n0")
    assert list(run.deadlines) == ["n0"]
    commands = run.restore()
    assert commands[0] == StartTimer("n0", 0, 0, 59.986, "deadline, resumed")
    run.fire("n0")
    assert run.succeed("n0")[0] == CancelTimer("n0", 0, 0)
    assert run.running == ["n1@1.1"]


def test_deadline_stops_a_running_task() -> None:
    run = timed()
    assert run.fire("n0", "deadline") == [CancelTask("n0", 1, 1)]
    run.restore()
    run.stopped("n0")
    assert run.phases == {"n0": "TIMED_OUT", "n1": "SKIPPED"}
    error = error_of(run)
    assert error["code"] == "Timeout"
    assert run.finish is not None
    assert run.finish.phase == "FAILED"


def test_result_before_the_deadline_is_kept() -> None:
    run = timed()
    run.fire("n0", "deadline")
    run.succeed("n0")
    assert run.phases == {"n0": "SUCCEEDED", "n1": "RUNNING"}


def test_failure_while_stopping_by_deadline_is_not_retried() -> None:
    run = timed()
    run.fire("n0", "deadline")
    run.fail("n0", "ValueError")
    assert run.phases["n0"] == "FAILED"


def test_deadline_in_a_back_off_stops_the_timer() -> None:
    run = timed()
    run.fail("n0")
    assert run.fire("n0", "deadline")[0] == CancelTimer("n0", 2, 1)
    assert run.phases == {"n0": "TIMED_OUT", "n1": "SKIPPED"}


def test_deadline_of_a_node_that_waits_for_a_slot() -> None:
    nodes = (node("n0", "free"), node("n1", "timed"))
    run = Simulation(document(workflow("wf", *nodes, policy=AT_THE_END), FREE, TIMED), limits=Limits(max_parallelism=1))
    assert run.phases["n1"] == "READY"
    run.fire("n1", "deadline")
    assert run.phases["n1"] == "TIMED_OUT"
    run.succeed("n0")
    assert run.running == []


def test_deadline_of_a_stopping_node_is_ignored() -> None:
    run = timed()
    run.cancel()
    assert run.fire("n0", "deadline") == []
    commands = run.stopped("n0")
    assert run.phases["n0"] == "ABORTED"
    assert not [command for command in commands if isinstance(command, CancelTimer)]


def test_late_deadline_is_ignored() -> None:
    run = timed()
    run.succeed("n0")
    assert run.do(TimerFired("n0", 0, 0)) == []


# ------------------------------------------------------------------------------------------ time-outs


def test_execution_times_out() -> None:
    nodes = (node("n0", "free"), node("n1", "free", "n0"))
    run = Simulation(document(workflow("wf", *nodes, timeout=3_600), FREE))
    assert run.issued[0] == [
        StartTimer("", 0, -1, 3_600, "time-out of the workflow"),
        RunTask("n0", "wf", "n0", "free", "free", 1, 1, {}),
    ]
    assert run.restore()[0] == StartTimer("", 0, -1, 3_599.993, "time-out of the workflow, resumed")
    assert run.fire("", "timeout") == [CancelTask("n0", 1, 1)]
    run.restore()
    run.stopped("n0")
    assert run.phases == {"n0": "ABORTED", "n1": "SKIPPED"}
    assert run.finish is not None
    assert run.finish.phase == "TIMED_OUT"
    assert error_of(run)["code"] == "Timeout"


def test_ended_or_stopping_workflow_has_no_timer() -> None:
    run = Simulation(document(workflow("wf", node("n0", "free"), timeout=60), FREE))
    assert run.succeed("n0")[0] == CancelTimer("", 0, -1)
    run = Simulation(document(workflow("wf", node("n0", "free"), timeout=60), FREE))
    assert run.cancel() == [CancelTimer("", 0, -1), CancelTask("n0", 1, 1)]
    assert run.do(TimerFired("", 0, -1)) == []
    run.stopped("n0")
    assert run.finish is not None
    assert run.finish.phase == "ABORTED"


def test_sub_workflow_has_its_own_time_out() -> None:
    inner = workflow("inner", node("n0", "free"), timeout=60)
    outer = workflow("wf", node("n0", "inner", sub=True), node("n1", "free"), policy=AT_THE_END)
    run = Simulation(document(outer, inner, FREE))
    run.fire("n0", "timeout")
    assert run.stopping == {"n0.n0"}
    run.stopped("n0.n0")
    assert run.phases == {"n0": "TIMED_OUT", "n0.n0": "ABORTED", "n1": "RUNNING"}
    run.succeed("n1")
    assert run.finish is not None
    assert run.finish.phase == "FAILED"
    assert error_of(run)["node"] == "n0"


def test_workflow_stopped_before_it_opens_has_no_timer() -> None:
    inner = workflow("inner", timeout=60)
    missing_inputs = node("n1", "next", a=7).model_copy(update={"after": ("n0",)})
    spec = workflow("wf", node("n0", "free"), node("n2", "inner", "n0", sub=True), missing_inputs)
    run = Simulation(document(spec, inner, FREE, task("next", "a")))
    run.succeed("n0")
    assert "n2" not in run.timeouts
    run.succeed("n1")
    assert run.finish is not None
