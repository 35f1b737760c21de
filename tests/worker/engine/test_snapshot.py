"""The state of the engine as plain JSON."""

from __future__ import annotations

import json

from flytemp.spec.pages import from_pages, to_pages
from flytemp.spec.plan import plan_of
from flytemp_worker.engine import snapshot
from flytemp_worker.engine.capacity import Limits as EngineLimits
from flytemp_worker.engine.messages import CancelTask, RunTask, StartTimer
from flytemp_worker.engine.plan import Plan
from flytemp_worker.node_kinds import new_engine

from .programs import AT_THE_END, document, given, node, out, task, workflow
from .reference_interpreter import evaluate
from .simulation import Limits, Simulation

FREE = task("free", retries=1)
NEXT = task("next", "a", retries=1)


def test_row_has_only_fields_that_differ_from_their_defaults() -> None:
    nodes = (node("n0", "next", a=1), node("n1", "next", a=out("n0")), node("n2", "next", a=out("n1")))
    run = Simulation(document(workflow("wf", *nodes), NEXT))
    run.fail("n0", "ValueError", "no good")
    run.fire("n0")
    run.succeed("n0", {"x": 5, "s": None})
    start = run.script[0][1]
    error = {
        "kind": "USER",
        "code": "ValueError",
        "message": "no good",
        "retryable": True,
        "node": "n0",
        "task": "next",
        "attempt": 1,
    }
    history = [
        {"attempt": 1, "tries": 1, "phase": "FAILED", "started": start, "finished": start + 7, "error": error},
    ]
    assert snapshot.rows(run.engine) == [
        {
            "id": "n0",
            "phase": "SUCCEEDED",
            "attempt": 2,
            "try_": 1,
            "size": 19,
            "started": start,
            "started_attempt": start + 14,
            "finished": start + 21,
            "history": history,
            "outputs": {"x": 5, "s": None},
        },
        {
            "id": "n1",
            "phase": "RUNNING",
            "attempt": 1,
            "try_": 1,
            "started": start + 21,
            "started_attempt": start + 21,
        },
    ]  # n2 waits, so it has no row


def test_rows_of_callers_precede_those_of_their_nodes() -> None:
    inner = workflow("inner", node("n0", "free"))
    run = Simulation(document(workflow("wf", node("a", "inner", sub=True), node("b", "free")), inner, FREE))
    assert [row["id"] for row in snapshot.rows(run.engine)] == ["a", "a.n0", "b"]


def test_hold_drain_snapshot_restore_resume() -> None:
    nodes = [node(f"n{index}", "next", a=given("x")) for index in range(5)]
    join = node("join", "next", *(item.id for item in nodes[1:]), a=out("n0"))
    program = document(workflow("wf", *nodes, join, inputs=("x",), outputs={"o": out("join")}), NEXT)
    run = Simulation(program, {"x": 3}, limits=Limits(max_parallelism=3))
    assert run.running == ["n0@1.1", "n1@1.1", "n2@1.1"]

    run.do("hold")  # because the history has become long
    run.succeed("n0")  # some tries end
    run.fail("n1")
    assert run.running == ["n2@1.1"]  # n3 and n4 are not started
    assert run.phases["n3"] == "READY"

    left = run.timers["n1"].seconds
    commands = run.restore()  # the next run
    assert commands[:2] == [
        StartTimer("n1", 2, 1, left - 0.007, "resumed"),  # 7 ms later
        RunTask("n2", "wf", "n2", "next", "next", 1, 1, {"a": {"literal": 3}}, resumed=True),
    ]
    assert run.running == ["n2@1.1", "n3@1.1", "n4@1.1"]

    run.fire("n1")
    for path in ("n4", "n3", "n2", "n1", "join"):
        run.succeed(path)
    assert run.outputs() == evaluate(program, "wf", {"x": 3})


def test_back_off_that_ends_before_the_restore_ends_at_once() -> None:
    run = Simulation(document(workflow("wf", node("n0", "free")), FREE))
    run.fail("n0")
    engine = new_engine(run.plan, {})
    snapshot.fill(engine, from_pages(to_pages(snapshot.state(run.engine))))
    assert engine.resume(run.at + 3_600_000) == [StartTimer("n0", 2, 1, 0.001, "resumed")]


def test_stopping_sub_workflow_is_restored_as_stopping() -> None:
    inner = workflow("inner", node("n0", "free"), node("n1", "free"), node("n2", "free", "n1"))
    outer = workflow("wf", node("a", "inner", sub=True), node("b", "free"), policy=AT_THE_END)
    run = Simulation(document(outer, inner, FREE))
    run.fail("a.n0", retryable=False)
    commands = run.restore()
    assert [command for command in commands if isinstance(command, CancelTask)] == [CancelTask("a.n1", 1, 1)]
    run.stopped("a.n1")
    run.succeed("b")
    assert run.phases == {
        "a": "FAILED", "a.n0": "FAILED", "a.n1": "ABORTED", "a.n2": "SKIPPED", "b": "SUCCEEDED",
    }  # fmt: skip
    assert run.finish is not None
    assert run.finish.phase == "FAILED"


def test_cancelled_execution_is_restored_as_cancelled() -> None:
    run = Simulation(document(workflow("wf", node("n0", "free"), node("n1", "free", "n0")), FREE))
    run.cancel("not needed")
    run.restore()
    assert run.engine.aborting
    run.stopped("n0")
    assert run.finish is not None
    assert (run.finish.phase, run.finish.reason) == ("ABORTED", "not needed")


def test_budgets_survive_a_restore() -> None:
    run = Simulation(document(workflow("wf", node("n0", "free")), FREE))
    run.lose("n0")
    run.restore()
    run.fire("n0")
    run.lose("n0")
    run.restore()
    run.fire("n0")
    assert run.running == ["n0@1.3"]
    run.restore()
    run.lose("n0")  # the third try
    assert run.finish is not None
    assert run.finish.error is not None
    assert run.finish.error["message"].startswith("gave up after 3 tries")


def test_state_of_10_000_nodes_fits_a_few_pages() -> None:
    nodes = [node(f"n{index}", "next", a=index) for index in range(10_000)]
    plan = Plan(plan_of(document(workflow("wf", *nodes), NEXT)))
    engine = new_engine(plan, {}, EngineLimits(max_parallelism=0))
    assert len(engine.begin(1_700_000_000_000)) == 1_000  # the platform's limit
    state = snapshot.state(engine)
    pages = to_pages(state)
    assert all(len(page) <= 512 * 1024 for page in pages)
    assert from_pages(pages) == json.loads(json.dumps(state)) == state
    restored = new_engine(plan, {}, EngineLimits(max_parallelism=0))
    snapshot.fill(restored, from_pages(pages))
    resumed = restored.resume(1_700_000_000_000)
    assert len(resumed) == 1_000
