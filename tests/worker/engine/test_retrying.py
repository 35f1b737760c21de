"""Manual retries of failed nodes, in running and in ended executions."""

from __future__ import annotations

import pytest

from flytemp.errors import FlytempError
from flytemp_worker.engine.manual_retry import nodes_to_retry
from flytemp_worker.engine.messages import StartTimer

from .programs import (
    AT_THE_END,
    approval,
    branch,
    document,
    given,
    is_,
    launch_plan,
    mapped,
    node,
    out,
    sleep,
    spread,
    task,
    workflow,
)
from .reference_interpreter import evaluate
from .simulation import Limits, Simulation

FREE = task("free")
NEXT = task("next", "a")


def refused(run: Simulation, *paths: str) -> str:
    with pytest.raises(FlytempError) as caught:
        nodes_to_retry(run.engine, paths)
    before = run.phases
    assert run.retry(*paths) == []
    assert run.phases == before
    return caught.value.code


def chain(retries: int = 0) -> Simulation:
    nodes = (node("n0", "t"), node("n1", "next", a=out("n0")), node("n2", "free"), node("n3", "free", "n2"))
    root = workflow("wf", *nodes, policy=AT_THE_END, outputs={"o": out("n1")})
    return Simulation(document(root, task("t", retries=retries), FREE, NEXT))


# ----------------------------------------------------------------------------- running executions


def test_retry_of_a_node_resets_what_was_skipped() -> None:
    run = chain()
    run.fail("n0", "ValueError", "odd")
    assert run.phases == {"n0": "FAILED", "n1": "SKIPPED", "n2": "RUNNING", "n3": "WAITING"}
    run.retry("n0")
    assert run.phases == {"n0": "RUNNING", "n1": "WAITING", "n2": "RUNNING", "n3": "WAITING"}
    assert run.running == ["n2@1.1", "n0@2.1"]
    row = run.row("n0")
    assert [(attempt["attempt"], attempt["phase"]) for attempt in row["history"]] == [(1, "FAILED")]
    assert "error" not in row
    run.restore()
    for path in ("n0", "n1", "n2", "n3"):
        run.succeed(path)
    assert run.outputs() == evaluate(run.program, "wf", {})


def test_retries_of_the_task_count_anew_after_a_manual_retry() -> None:
    run = chain(retries=1)
    for attempt in (1, 3):
        run.fail("n0")
        run.restore()
        assert run.fire("n0") != []
        run.fail("n0")
        assert run.phases["n0"] == "FAILED"
        assert run.row("n0")["attempt"] == attempt + 1
        run.retry("n0")
    assert "n0@5.1" in run.running


def test_failed_nodes_outside_the_request_stay_failed() -> None:
    nodes = (node("n0", "free"), node("n1", "free"), node("n2", "free", "n1"), node("n3", "free"))
    run = Simulation(document(workflow("wf", *nodes, policy=AT_THE_END), FREE))
    run.fail("n0", message="first")
    run.fail("n1", message="second")
    run.retry("n0")
    assert run.phases == {"n0": "RUNNING", "n1": "FAILED", "n2": "SKIPPED", "n3": "RUNNING"}
    run.succeed("n0")
    run.succeed("n3")
    assert run.finish is not None
    assert run.finish.error is not None
    assert run.finish.error["message"] == "second"


def test_retry_of_an_inner_node_reopens_its_sub_workflow() -> None:
    inner = workflow("inner", node("n0", "free"), node("n1", "free", "n0"), policy=AT_THE_END, timeout=60)
    root = workflow("wf", node("s", "inner", sub=True), node("n1", "free", "s"), node("n2", "free"), policy=AT_THE_END)
    run = Simulation(document(root, inner, FREE))
    run.fail("s.n0")
    assert run.phases == {"s": "FAILED", "s.n0": "FAILED", "s.n1": "SKIPPED", "n1": "SKIPPED", "n2": "RUNNING"}
    commands = run.retry("s")
    assert commands[0] == StartTimer("s", 0, -1, 60, "time-out of the workflow")
    assert run.phases == {"s": "RUNNING", "s.n0": "RUNNING", "s.n1": "WAITING", "n1": "WAITING", "n2": "RUNNING"}
    (again, *_) = run.restore()
    assert again == StartTimer("s", 0, -1, 59.993, "time-out of the workflow, resumed")  # since the retry
    for path in ("s.n0", "s.n1", "n1", "n2"):
        run.succeed(path)
    assert run.finish is not None
    assert run.finish.phase == "SUCCEEDED"


def test_refused_retries() -> None:
    run = chain()
    assert refused(run) == "invalid-input"
    assert refused(run, "n9") == "not-found"
    assert refused(run, "n2") == "invalid-input"
    run.fail("n0")
    run.cancel()
    assert refused(run, "n0") == refused(run) == "invalid-input"


def test_retry_is_refused_while_the_scope_is_ending() -> None:
    inner = workflow("inner", node("n0", "free"), node("n1", "free"), on_failure=node("fn0", "free"))
    run = Simulation(document(workflow("wf", node("s", "inner", sub=True), node("t", "free"), policy=AT_THE_END), inner, FREE))
    run.fail("s.n0")
    assert refused(run, "s.n0") == "invalid-input"
    run.stopped("s.n1")
    assert refused(run) == "invalid-input"
    run.fail("s.fn0")
    assert refused(run, "s.fn0") == "invalid-input"
    run.retry()
    assert run.running == ["t@1.1", "s.n0@2.1", "s.n1@2.1"]
    assert "s.fn0" not in run.phases
    run.fail("s.n0")
    run.restore()
    run.stopped("s.n1")
    assert run.running == ["t@1.1", "s.fn0@2.1"]  # the first attempt's result is in the store


def test_tolerated_map_failure_cannot_be_retried() -> None:
    spec = mapped("n0", "next", how=spread(min_success_ratio=0.5), a=[1, 2])
    run = Simulation(document(workflow("wf", spec, node("n1", "free"), policy=AT_THE_END), NEXT, FREE))
    run.fail("n0.0")
    run.succeed("n0.1")
    assert run.phases["n0"] == "SUCCEEDED"
    assert refused(run, "n0.0") == "invalid-input"
    assert refused(run) == "invalid-input"


def test_retry_of_a_call_of_a_running_map() -> None:
    spec = mapped("n0", "next", how=spread(min_success_ratio=0.5, concurrency=1), a=[1, 2, 3, 4])
    run = Simulation(document(workflow("wf", spec, outputs={"x": out("n0")}), NEXT))
    run.fail("n0.0")
    run.fail("n0.1")
    run.retry("n0.0", "n0.1")
    run.restore()
    assert run.running == ["n0.2@1.1"]
    while run.in_flight:
        run.restore()
        run.succeed(next(iter(run.in_flight)))
    assert run.outputs() == evaluate(run.program, "wf", {})


def test_retried_calls_beyond_the_concurrency_of_a_map_start_no_others() -> None:
    item = workflow("item", node("n0", "next", a=given("a")), inputs=("a",))
    spec = mapped("m", "item", of="workflow", how=spread(min_success_ratio=0.5, concurrency=1), a=[1, 2, 3, 4])
    run = Simulation(document(workflow("wf", spec), item, NEXT))
    run.fail("m.0.n0")
    run.fail("m.1.n0")
    run.retry("m.0", "m.1")
    run.restore()
    assert {path.partition("@")[0] for path in run.running} == {"m.0.n0", "m.1.n0", "m.2.n0"}
    run.succeed("m.0.n0")
    run.succeed("m.1.n0")
    assert run.running == ["m.2.n0@1.1"]
    run.succeed("m.2.n0")
    assert run.running == ["m.3.n0@1.1"]


def test_node_that_timed_out_before_it_ran_stays_so_when_another_is_retried() -> None:
    slow = task("slow", deadline=60)
    root = workflow("wf", node("n0", "free"), node("n1", "free"), node("n2", "slow"), policy=AT_THE_END)
    run = Simulation(document(root, FREE, slow), limits=Limits(max_parallelism=1))
    run.fire("n2", "deadline")
    run.fail("n0")
    run.retry("n0")
    assert run.phases == {"n0": "READY", "n1": "RUNNING", "n2": "TIMED_OUT"}


# ------------------------------------------------------------------------------- ended executions


@pytest.mark.parametrize("reload", [False, True])
def test_retry_of_a_failed_execution_continues_it(reload: bool) -> None:
    inner = workflow("inner", node("n0", "free"), node("n1", "free", "n0"))
    cases = branch("b", (None, node("n0", "free")), outputs=())
    root = workflow("wf", node("n0", "free"), node("n1", "free"), node("s", "inner", sub=True), cases, sleep("z", 60))
    run = Simulation(document(root, inner, FREE))
    run.succeed("n0")
    run.fail("n1")
    for path in sorted(run.stopping):
        run.stopped(path)
    assert run.phases["s"] == run.phases["b"] == run.phases["z"] == "ABORTED"
    assert run.finish is not None
    if reload:
        run.reload()
    run.retry()
    assert run.finish is None
    assert run.running == ["n1@2.1", "s.n0@2.1", "b.n0@2.1"]
    assert run.phases["n0"] == "SUCCEEDED"
    for path in ("n1", "s.n0", "s.n1", "b.n0"):
        run.succeed(path)
    run.fire("z")
    assert run.outputs() == {}


def test_retry_of_a_cancelled_execution_continues_it() -> None:
    run = chain()
    run.cancel()
    for path in sorted(run.stopping):
        run.stopped(path)
    run.reload()
    run.retry()
    for path in ("n0", "n1", "n2", "n3"):
        run.succeed(path)
    assert run.outputs() == evaluate(run.program, "wf", {})


def test_retry_of_a_timed_out_execution_restarts_the_time_out() -> None:
    run = Simulation(document(workflow("wf", node("n0", "free"), timeout=60), FREE))
    run.fire("", "timeout")
    run.succeed("n0")
    assert run.finish is not None
    assert run.finish.phase == "TIMED_OUT"
    run.reload()
    run.retry()
    assert run.finish is not None  # all had succeeded
    assert run.finish.phase == "SUCCEEDED"


def test_retry_of_a_successful_execution_is_refused() -> None:
    nodes = branch("n0", (is_(1, "==", 1), node("n0", "free")), (None, node("n1", "free")), outputs=())
    run = Simulation(document(workflow("wf", nodes), FREE))
    run.succeed("n0.n0")
    assert refused(run) == "invalid-input"


def test_retry_reopens_a_rejected_gate_and_keeps_approvals() -> None:
    nodes = (approval("n0", "ok"), approval("n1", "other"), node("n2", "free", "n0", "n1"))
    run = Simulation(document(workflow("wf", *nodes, policy=AT_THE_END), FREE))
    run.answer("other")
    run.answer("ok", approved=False)
    run.reload()
    run.retry()
    assert list(run.engine.waiting) == ["n0"]
    assert "ok" not in run.engine.answers
    run.answer("ok")
    run.succeed("n2")
    assert run.finish is not None


def test_retry_of_a_launch_plan_starts_another_execution() -> None:
    spec = node("n0", "lp", kind="launch_plan", a=1)
    run = Simulation(document(workflow("wf", spec, outputs={"o": out("n0")}), launch_plan("lp", "a")))
    run.close("n0", "FAILED")
    run.reload()
    run.retry()
    assert run.executions["n0"].attempt == 2
    run.close("n0")
    assert run.outputs() == evaluate(run.program, "wf", {})


def test_retry_of_a_failed_store_of_map_outputs_repeats_no_call() -> None:
    spec = mapped("n0", "big", a=[1, 2])
    run = Simulation(document(workflow("wf", spec, outputs={"x": out("n0")}), task("big", "a")))
    run.succeed("n0.0")
    run.succeed("n0.1")
    run.complete_io("n0", {"kind": "SYSTEM", "code": "StoreError", "message": "it is away", "retryable": False})
    run.reload()
    run.retry()
    assert run.in_flight == {}
    run.complete_io("n0")
    assert run.outputs() == evaluate(run.program, "wf", {})


def test_retry_of_a_failed_split_starts_the_map_again() -> None:
    spec = mapped("n0", "next", a=[1, 2, 3])
    run = Simulation(document(workflow("wf", spec, outputs={"x": out("n0")}), NEXT), limits=Limits(max_map_items=2))
    run.complete_io("n0", {"kind": "SYSTEM", "code": "StoreError", "message": "it is away", "retryable": False})
    run.reload()
    run.retry()
    run.restore()
    run.complete_io("n0")
    assert len(run.chunks) == 2


def test_failure_workflow_runs_again_with_new_attempts() -> None:
    cleanup = workflow("cleanup", node("n0", "free"), inputs=("a",))
    root = workflow("wf", node("n0", "free"), inputs=("a",), on_failure=node("fn0", "cleanup", sub=True, a=given("a")))
    run = Simulation(document(root, cleanup, FREE), {"a": 1})
    for attempt in (1, 2, 3):
        run.fail("n0")
        assert run.running == [f"fn0.n0@{attempt}.1"]
        run.restore()
        run.succeed("fn0.n0")
        run.reload()
        run.retry()
        run.restore()
    run.succeed("n0")
    assert run.finish is not None
    assert run.finish.phase == "SUCCEEDED"


def test_chunk_of_a_retried_map_is_restored_without_graphs_that_have_not_begun() -> None:
    inner = workflow("inner", node("n0", "free"))
    cases = branch("b", (is_(1, "==", 1), node("n0", "free")), (None, node("n1", "free")), outputs=())
    item = workflow("item", node("n0", "next", a=given("a")), node("s", "inner", "n0", sub=True), cases, inputs=("a",))
    root = workflow("wf", mapped("m", "item", of="workflow", a=[1, 2]))
    run = Simulation(document(root, item, inner, FREE, NEXT), limits=Limits(max_map_items=1))
    run.complete_io("m")
    run.chunks["m", 0].fail("m.0.n0")
    run.close_chunk("m", 0)
    run.chunks["m", 1].stopped("m.1.n0")
    run.close_chunk("m", 1)
    run.retry()
    run.complete_io("m")
    for chunk in list(run.chunks.values()):
        path = f"m.{chunk.command.first}"
        assert chunk.phases[f"{path}.s"] == "WAITING"
        chunk.restore()
        assert f"{path}.s.n0" not in chunk.phases
        for task_path in ("n0", "b.n0", "s.n0"):
            chunk.succeed(f"{path}.{task_path}")
        run.close_chunk("m", chunk.command.chunk)
    run.complete_io("m")
    assert run.finish is not None
    assert run.finish.phase == "SUCCEEDED"
