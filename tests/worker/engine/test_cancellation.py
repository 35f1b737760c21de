"""Cancellation: the phases of the nodes, and late events."""

from __future__ import annotations

from flytemp_worker.engine.messages import CancelTimer, Finish, TimerFired

from .programs import document, node, out, task, workflow
from .simulation import Limits, Simulation

NEXT = task("next", "a")


def single(retries: int = 0) -> Simulation:
    """Return an execution of one task."""
    return Simulation(document(workflow("wf", node("n0", "t")), task("t", retries=retries)))


def test_cancel_stops_running_nodes_and_skips_the_others() -> None:
    program = document(workflow("wf", node("n0", "next", a=1), node("n1", "next", a=out("n0"))), NEXT)
    run = Simulation(program)
    run.cancel("not needed")
    assert run.phases == {"n0": "CANCELLING", "n1": "SKIPPED"}
    assert run.stopping == {"n0"}
    run.stopped("n0")
    assert run.phases == {"n0": "ABORTED", "n1": "SKIPPED"}
    assert run.finish == Finish("ABORTED", reason="not needed")


def test_result_before_the_cancellation_is_kept_and_starts_nothing() -> None:
    program = document(workflow("wf", node("n0", "next", a=1), node("n1", "next", a=out("n0"))), NEXT)
    run = Simulation(program)
    run.cancel()
    run.succeed("n0")
    assert run.phases == {"n0": "SUCCEEDED", "n1": "SKIPPED"}
    assert run.finish == Finish("ABORTED", reason="enough")


def test_task_that_fails_while_stopping_is_not_retried() -> None:
    run = single(retries=3)
    run.cancel()
    run.fail("n0")
    assert run.phases == {"n0": "FAILED"}
    assert run.finish is not None
    assert run.finish.phase == "ABORTED"


def test_task_lost_while_stopping_is_aborted() -> None:
    run = single()
    run.cancel()
    run.lose("n0")
    assert run.phases == {"n0": "ABORTED"}


def test_system_error_while_stopping_aborts_the_task() -> None:
    run = single()
    run.cancel()
    run.fail("n0", "CorruptData", kind="SYSTEM", retryable=False)
    assert run.phases == {"n0": "ABORTED"}


def test_cancel_in_a_back_off_stops_the_timer_and_a_late_timer_is_ignored() -> None:
    run = single(retries=1)
    run.fail("n0")
    commands = run.cancel()
    assert commands[0] == CancelTimer("n0", 2, 1)
    assert isinstance(commands[1], Finish)
    assert run.phases == {"n0": "ABORTED"}
    assert run.do(TimerFired("n0", 2, 1)) == []


def test_cancel_of_a_retry_that_waits_for_a_slot() -> None:
    program = document(workflow("wf", node("n0", "t"), node("n1", "t"), node("n2", "t")), task("t", retries=1))
    run = Simulation(program, limits=Limits(max_parallelism=1))
    run.fail("n0")
    run.fire("n0")
    assert run.phases == {"n0": "READY", "n1": "RUNNING", "n2": "READY"}
    run.cancel()
    assert run.phases == {"n0": "ABORTED", "n1": "CANCELLING", "n2": "SKIPPED"}  # n2 never ran
    run.stopped("n1")
    assert run.finish is not None


def test_second_cancel_is_ignored() -> None:
    run = single()
    run.cancel("first")
    assert run.cancel("second") == []
    run.stopped("n0")
    assert run.finish == Finish("ABORTED", reason="first")
