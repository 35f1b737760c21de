"""Tasks: order, parallelism, attempts and tries."""

from __future__ import annotations

import pytest

from flytemp.spec.models import Backoff
from flytemp_worker.engine.capacity import Limits as EngineLimits
from flytemp_worker.engine.messages import RunTask, StartTimer, TaskSucceeded, TimerFired
from flytemp_worker.engine.phases import IllegalMove, NodePhase
from flytemp_worker.node_kinds import new_engine
from flytemp_worker.node_kinds.retry_backoff import system_backoff, user_backoff

from .programs import document, given, node, out, several, task, workflow
from .reference_interpreter import evaluate
from .simulation import Limits, Simulation

ADD = task("add", "a", "b")
NEXT = task("next", "a")


def single(retries: int = 0, backoff: Backoff | None = None) -> Simulation:
    """Return an execution of one task."""
    return Simulation(document(workflow("wf", node("n0", "t")), task("t", retries=retries, backoff=backoff)))


def error_of(run: Simulation) -> dict[str, object]:
    assert run.finish is not None
    assert run.finish.phase == "FAILED"
    assert run.finish.error is not None
    return run.finish.error


# -------------------------------------------------------------------------------------------- order


def test_chain() -> None:
    program = document(
        workflow(
            "wf",
            node("n0", "next", a=given("x")),
            node("n1", "next", a=out("n0")),
            node("n2", "next", a=out("n1")),
            inputs=("x",),
            outputs={"o": out("n2")},
        ),
        NEXT,
    )
    run = Simulation(program, {"x": 1})
    assert run.running == ["n0@1.1"]
    first = run.in_flight["n0"]
    assert first == RunTask("n0", "wf", "n0", "next", "next", attempt=1, try_=1, inputs={"a": {"literal": 1}})
    run.succeed("n0")
    assert run.running == ["n1@1.1"]
    run.succeed("n1")
    run.succeed("n2")
    assert run.phases == {"n0": "SUCCEEDED", "n1": "SUCCEEDED", "n2": "SUCCEEDED"}
    assert run.outputs() == evaluate(program, "wf", {"x": 1})


def test_diamond() -> None:
    program = document(
        workflow(
            "wf",
            node("top", "next", a=1),
            node("left", "next", a=out("top")),
            node("right", "next", a=out("top")),
            node("join", "add", a=out("left"), b=out("right")),
            outputs={"o": out("join")},
        ),
        ADD,
        NEXT,
    )
    run = Simulation(program)
    assert run.running == ["top@1.1"]
    run.succeed("top")
    assert run.running == ["left@1.1", "right@1.1"]
    run.succeed("right")
    assert run.running == ["left@1.1"]  # the join waits for both
    run.succeed("left")
    assert run.running == ["join@1.1"]
    run.succeed("join")
    assert run.outputs() == evaluate(program, "wf", {})


def test_node_can_depend_on_another_without_using_its_outputs() -> None:
    run = Simulation(document(workflow("wf", node("n1", "next", "n0", a=1), node("n0", "next", a=2)), NEXT))
    assert run.running == ["n0@1.1"]
    run.succeed("n0")
    assert run.running == ["n1@1.1"]


def test_max_parallelism_limits_tasks_in_order_of_readiness() -> None:
    nodes = [node(f"n{index}", "next", a=index) for index in range(5)]
    program = document(workflow("wf", *nodes, outputs={"o": several(*(out(n.id) for n in nodes))}), NEXT)
    run = Simulation(program, limits=Limits(max_parallelism=2))
    assert run.running == ["n0@1.1", "n1@1.1"]
    assert run.phases["n4"] == "READY"
    run.succeed("n1")
    assert run.running == ["n0@1.1", "n2@1.1"]
    for path in ("n0", "n2", "n3", "n4"):
        run.succeed(path)
    assert run.outputs() == evaluate(program, "wf", {})


@pytest.mark.parametrize(
    ("asked", "platform", "limit"),
    [(0, 1_000, 1_000), (25, 1_000, 25), (5_000, 1_000, 1_000)],
)
def test_max_parallelism_0_means_the_platforms_limit(asked: int, platform: int, limit: int) -> None:
    plan = single().plan
    assert new_engine(plan, {}, EngineLimits(max_parallelism=asked, max_in_flight=platform)).capacity.limit == limit


def test_back_off_uses_no_slot() -> None:
    program = document(workflow("wf", node("n0", "t"), node("n1", "t")), task("t", retries=1))
    run = Simulation(program, limits=Limits(max_parallelism=1))
    run.fail("n0")
    assert run.running == ["n1@1.1"]
    run.fire("n0")
    assert run.phases == {"n0": "READY", "n1": "RUNNING"}
    run.succeed("n1")
    assert run.running == ["n0@2.1"]


def test_workflow_without_nodes_succeeds_at_once() -> None:
    run = Simulation(document(workflow("wf", inputs=("x",), outputs={"o": given("x")})), {"x": 3})
    assert run.outputs() == {"o": 3}


# ----------------------------------------------------------------------------------------- failures


def test_failure_fails_the_execution_with_its_place() -> None:
    run = single()
    run.fail("n0", "ValueError", "no such column")
    assert error_of(run) == {
        "kind": "USER",
        "code": "ValueError",
        "message": "no such column",
        "retryable": True,
        "node": "n0",
        "task": "t",
        "attempt": 1,
    }
    assert run.phases == {"n0": "FAILED"}


def test_task_with_code_timeout_is_timed_out() -> None:
    run = single(retries=1)
    run.fail("n0", "Timeout")
    run.fire("n0")
    run.fail("n0", "Timeout")
    assert run.phases == {"n0": "TIMED_OUT"}
    assert error_of(run)["code"] == "Timeout"
    assert [attempt["phase"] for attempt in run.row("n0")["history"]] == ["TIMED_OUT"]


def test_task_is_retried_after_a_back_off_until_it_succeeds() -> None:
    run = single(retries=2)
    assert run.fail("n0") == [StartTimer("n0", 2, 1, 1.0, "attempt 2")]
    assert run.phases == {"n0": "BACKOFF"}
    run.fire("n0")
    assert run.running == ["n0@2.1"]
    assert run.fail("n0") == [StartTimer("n0", 3, 1, 2.0, "attempt 3")]
    run.fire("n0")
    run.succeed("n0")
    assert run.outputs() == {}
    row = run.row("n0")
    assert row["attempt"] == 3
    assert "error" not in row
    assert [(attempt["attempt"], attempt["error"]["message"]) for attempt in row["history"]] == [
        (1, "no good"),
        (2, "no good"),
    ]


def test_number_of_retries() -> None:
    run = single(retries=1)
    run.fail("n0")
    run.fire("n0")
    run.fail("n0")
    assert error_of(run)["attempt"] == 2


def test_failure_that_is_not_retryable_is_final() -> None:
    run = single(retries=5)
    run.fail("n0", "NonRecoverableError", retryable=False)
    assert error_of(run)["attempt"] == 1


def test_timer_of_another_attempt_is_ignored() -> None:
    run = single(retries=2)
    run.fail("n0")
    run.fire("n0")
    run.fail("n0")
    assert run.do(TimerFired("n0", 2, 1)) == []
    assert run.phases == {"n0": "BACKOFF"}
    run.fire("n0")
    assert run.running == ["n0@3.1"]


def test_overrides_replace_the_tasks_retries() -> None:
    program = document(workflow("wf", node("n0", "t")), task("t", retries=5))
    settings = task("t", retries=0).settings
    (call,) = program.root.nodes
    overridden = call.model_copy(update={"overrides": call.overrides.model_copy(update={"settings": settings})})
    run = Simulation(document(workflow("wf", overridden), task("t", retries=5)))
    run.fail("n0")
    assert error_of(run)["attempt"] == 1


# --------------------------------------------------------------------------- what the platform loses


def test_lost_tries_use_no_retries() -> None:
    run = single(retries=0)
    run.lose("n0")
    run.fire("n0")
    assert run.running == ["n0@1.2"]
    run.lose("n0")
    run.fire("n0")
    assert run.running == ["n0@1.3"]
    run.succeed("n0")
    assert run.outputs() == {}
    assert run.row("n0")["attempt"] == 1
    assert run.row("n0")["try_"] == 3


def test_each_attempt_has_its_own_system_tries() -> None:
    run = single(retries=1)
    for _ in range(2):
        run.lose("n0")
        run.fire("n0")
    run.fail("n0")
    run.fire("n0")
    assert run.running == ["n0@2.1"]
    for _ in range(2):
        run.lose("n0")
        run.fire("n0")
    run.succeed("n0")
    assert run.outputs() == {}


def test_task_fails_after_max_system_tries() -> None:
    run = single(retries=5)
    for _ in range(2):
        run.lose("n0", "the worker went away")
        run.fire("n0")
    run.lose("n0", "out of memory")
    assert error_of(run)["code"] == "Lost"
    assert error_of(run)["message"] == "gave up after 3 tries that the platform lost; the last: out of memory"


def test_system_error_counts_as_a_lost_try() -> None:
    run = single()
    run.fail("n0", "StoreError", "the store is full", kind="SYSTEM")
    run.fire("n0")
    assert run.running == ["n0@1.2"]
    assert run.row("n0")["error"]["message"] == "the store is full"


def test_system_error_that_is_not_retryable_is_final() -> None:
    run = single(retries=5)
    run.fail("n0", "CorruptData", "the bundle is damaged", kind="SYSTEM", retryable=False)
    assert error_of(run)["message"] == "the bundle is damaged"


def test_task_stopped_from_outside_is_tried_again() -> None:
    run = single()
    run.stopped("n0")
    assert run.row("n0")["error"]["code"] == "Stopped"
    run.fire("n0")
    assert run.running == ["n0@1.2"]


# ----------------------------------------------------------------------------------------- back-off


@pytest.mark.parametrize(("failures", "seconds"), [(1, 2.0), (2, 6.0), (3, 18.0), (4, 50.0), (1_000, 50.0)])
def test_back_off_grows_to_its_cap(failures: int, seconds: float) -> None:
    assert user_backoff([2.0, 3.0, 50.0, False], failures, "n0") == seconds


def test_back_off_of_a_large_factor_is_finite() -> None:
    assert user_backoff([1.0, 1e12, 60.0, False], 100, "n0") == 60.0
    assert user_backoff([0.0, 2.0, 60.0, False], 100, "n0") == 0.0
    assert 0 < user_backoff([1.0, 0.5, 60.0, False], 100, "n0") < 1e-15


def test_jitter_is_bounded_and_deterministic_by_node() -> None:
    seconds = [user_backoff([10.0, 2.0, 60.0, True], 1, f"n{index}") for index in range(50)]
    assert all(5.0 <= value < 10.0 for value in seconds)
    assert len(set(seconds)) == 50
    assert seconds == [user_backoff([10.0, 2.0, 60.0, True], 1, f"n{index}") for index in range(50)]


def test_system_back_off_starts_short_and_grows() -> None:
    assert 0.05 <= system_backoff(1, "n0") <= 0.1
    assert 30.0 <= system_backoff(50, "n0") <= 60.0
    ten_tries = sum(system_backoff(lost, "n0") for lost in range(1, 10))
    assert ten_tries > 100, "an outage of a minute must not use up the tries"


# -------------------------------------------------------------------------------------------- bugs


def test_illegal_event_lists_the_nodes_moves() -> None:
    run = single(retries=1)
    run.fail("n0", "ValueError", "no such column")
    run.fire("n0")
    with pytest.raises(IllegalMove) as caught:
        run.engine.step(TaskSucceeded("n0", 1, 1, {}, 2), run.at)
    lines = str(caught.value).splitlines()
    assert lines[0] == ("node n0: TaskSucceeded of attempt 1, try 1 while it is RUNNING in attempt 2, try 1. Its moves so far:")
    assert [line.strip() for line in lines[1:]] == [
        "WAITING → READY: all it depends on succeeded",
        "READY → RUNNING: attempt 1, try 1",
        "RUNNING → BACKOFF: attempt 2 after 1.000 s",
        "BACKOFF → READY: the back-off has ended",
        "READY → RUNNING: attempt 2, try 1",
    ]


def test_event_of_an_unknown_node_is_illegal() -> None:
    run = single()
    with pytest.raises(IllegalMove, match="n9: TaskSucceeded"):
        run.engine.step(TaskSucceeded("n9", 1, 1, {}, 2), run.at)
    with pytest.raises(IllegalMove, match="n9: TimerFired"):
        run.engine.step(TimerFired("n9", 1, 1), run.at)


def test_move_outside_the_table_is_illegal() -> None:
    run = single()
    run.succeed("n0")
    (done,) = run.engine.nodes()
    with pytest.raises(IllegalMove, match="SUCCEEDED to RUNNING"):
        run.engine.log.move(done, NodePhase.RUNNING, "why not")
