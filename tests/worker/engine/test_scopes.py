"""Sub-workflows, and the spread of failures."""

from __future__ import annotations

import pytest

from flytemp.spec.models import WorkflowDocument
from flytemp.spec.plan import plan_of
from flytemp_worker.engine.messages import Finish, RunTask, TaskSucceeded
from flytemp_worker.engine.phases import NodePhase
from flytemp_worker.engine.plan import Plan
from flytemp_worker.node_kinds import new_engine

from .programs import AT_ONCE, AT_THE_END, Policy, document, given, node, out, task, workflow
from .reference_interpreter import evaluate
from .simulation import Simulation

NEXT = task("next", "a")
FREE = task("free")


def test_sub_workflow_runs_in_its_node() -> None:
    inner = workflow("inner", node("n0", "next", a=given("v")), inputs=("v",), outputs={"o": out("n0", "s")})
    program = document(
        workflow(
            "outer",
            node("n0", "next", a=1),
            node("n1", "inner", sub=True, v=out("n0")),
            node("n2", "next", a=out("n1", "o", "l", 1)),
            outputs={"o": out("n2")},
        ),
        inner,
        NEXT,
    )
    run = Simulation(program)
    run.succeed("n0")
    assert run.phases == {"n0": "SUCCEEDED", "n1": "RUNNING", "n1.n0": "RUNNING", "n2": "WAITING"}
    assert run.in_flight["n1.n0"].graph == "inner"
    run.succeed("n1.n0")
    assert run.running == ["n2@1.1"]
    run.succeed("n2")
    assert run.outputs() == evaluate(program, "outer", {})


def two_halves(outer: Policy, inner: Policy) -> WorkflowDocument:
    """Return two calls of a workflow of three nodes, whose third follows the first, and a node after the first call."""
    half = workflow("half", node("n0", "free"), node("n1", "free"), node("n2", "free", "n0"), policy=inner)
    return document(
        workflow(
            "wf",
            node("a", "half", sub=True),
            node("b", "half", sub=True),
            node("c", "free", "a"),
            node("d", "free"),
            policy=outer,
        ),
        half,
        FREE,
    )


def test_fail_immediately_at_every_level() -> None:
    run = Simulation(two_halves(AT_ONCE, AT_ONCE))
    run.fail("a.n0")
    assert run.stopping == {"a.n1", "b.n0", "b.n1", "d"}
    for path in sorted(run.stopping):
        run.stopped(path)
    assert run.phases == {
        "a": "FAILED", "a.n0": "FAILED", "a.n1": "ABORTED", "a.n2": "SKIPPED",
        "b": "ABORTED", "b.n0": "ABORTED", "b.n1": "ABORTED", "b.n2": "SKIPPED",
        "c": "SKIPPED", "d": "ABORTED",
    }  # fmt: skip
    assert run.finish is not None
    assert run.finish.phase == "FAILED"
    assert run.finish.error is not None
    assert run.finish.error["node"] == "a.n0"


def test_fail_after_executable_nodes_at_every_level() -> None:
    run = Simulation(two_halves(AT_THE_END, AT_THE_END))
    run.fail("a.n0")
    assert run.stopping == set()
    for path in ("a.n1", "b.n0", "b.n1", "b.n2", "d"):
        run.succeed(path)
    assert run.phases == {
        "a": "FAILED", "a.n0": "FAILED", "a.n1": "SUCCEEDED", "a.n2": "SKIPPED",
        "b": "SUCCEEDED", "b.n0": "SUCCEEDED", "b.n1": "SUCCEEDED", "b.n2": "SUCCEEDED",
        "c": "SKIPPED", "d": "SUCCEEDED",
    }  # fmt: skip
    assert run.finish is not None
    assert run.finish.phase == "FAILED"


def test_fail_immediately_inside_fail_after_executable_nodes() -> None:
    run = Simulation(two_halves(AT_THE_END, AT_ONCE))
    run.fail("a.n0")
    assert run.stopping == {"a.n1"}  # only in its own scope
    assert run.engine.aborting  # continue-as-new has to wait
    run.stopped("a.n1")
    assert not run.engine.aborting
    assert run.phases["a"] == "FAILED"
    assert run.phases["c"] == "SKIPPED"
    for path in ("b.n0", "b.n1", "b.n2", "d"):
        run.succeed(path)
    assert run.finish is not None
    assert run.finish.phase == "FAILED"


def test_fail_after_executable_nodes_inside_fail_immediately() -> None:
    run = Simulation(two_halves(AT_ONCE, AT_THE_END))
    run.fail("a.n0")
    assert run.stopping == set()  # not before the sub-workflow has ended
    run.succeed("a.n1")
    assert run.phases["a"] == "FAILED"
    assert run.stopping == {"b.n0", "b.n1", "d"}
    for path in sorted(run.stopping):
        run.stopped(path)
    assert run.finish is not None
    assert run.finish.phase == "FAILED"


def test_first_failure_is_reported() -> None:
    run = Simulation(document(workflow("wf", node("n0", "free"), node("n1", "free"), policy=AT_THE_END), FREE))
    run.fail("n1", "ValueError", "first")
    run.fail("n0", "ValueError", "second")
    assert run.finish is not None
    assert run.finish.error is not None
    assert run.finish.error["message"] == "first"


def test_time_out_of_a_task_fails_the_sub_workflow() -> None:
    run = Simulation(document(workflow("wf", node("s", "half", sub=True)), workflow("half", node("n", "free")), FREE))
    run.fail("s.n", "Timeout")
    assert run.phases == {"s": "FAILED", "s.n": "TIMED_OUT"}


@pytest.mark.parametrize("policy", [AT_ONCE, AT_THE_END])
def test_cancel_stops_all_scopes_for_any_policy(policy: Policy) -> None:
    run = Simulation(two_halves(policy, policy))
    run.cancel()
    assert run.stopping == {"a.n0", "a.n1", "b.n0", "b.n1", "d"}
    for path in sorted(run.stopping):
        run.stopped(path)
    assert set(run.phases.values()) == {"ABORTED", "SKIPPED"}
    assert run.finish == Finish("ABORTED", reason="enough")


def test_cancel_after_a_failure_reports_both() -> None:
    run = Simulation(two_halves(AT_THE_END, AT_THE_END))
    run.fail("d", "ValueError", "no such column")
    run.cancel()
    for path in sorted(run.stopping):
        run.stopped(path)
    assert run.finish is not None
    assert (run.finish.phase, run.finish.reason) == ("ABORTED", "enough")
    assert run.finish.error is not None
    assert run.finish.error["message"] == "no such column"


def test_indirect_dependents_of_a_failure_are_skipped() -> None:
    nodes = [node("n0", "free"), *(node(f"n{index}", "free", f"n{index - 1}") for index in range(1, 4)), node("m", "free")]
    run = Simulation(document(workflow("wf", *nodes, policy=AT_THE_END), FREE))
    run.fail("n0")
    assert run.phases == {"n0": "FAILED", "n1": "SKIPPED", "n2": "SKIPPED", "n3": "SKIPPED", "m": "RUNNING"}
    assert run.row("n3")["message"] == "n0 failed"


def test_failure_before_other_scopes_open() -> None:
    """Missing inputs fail a node in the same step that opens other scopes."""
    empty = workflow("empty")
    program = document(
        workflow(
            "wf",
            node("n0", "next", a=1),
            node("bad", "next", a=out("n0", "s", "l", 9)),
            node("e0", "empty", "n0", sub=True),
            node("e1", "half", "n0", sub=True),
            node("e2", "empty", "e0", "e1", sub=True),
        ),
        empty,
        workflow("half", node("n0", "free")),
        NEXT,
        FREE,
    )
    engine = new_engine(Plan(plan_of(program)), {})
    engine.begin(0)
    commands = engine.step(TaskSucceeded("n0", 1, 1, {"x": 1, "s": {"l": [1]}}, 20), 1)
    finish = commands[-1]
    assert isinstance(finish, Finish)
    assert finish.error is not None
    assert finish.error["node"] == "bad"
    assert finish.error["message"].startswith("a: the value at .l has no item 9")
    assert {node.path: str(node.phase) for node in engine.nodes()} == {
        "n0": "SUCCEEDED",
        "bad": "FAILED",
        "e0": "SUCCEEDED",
        "e1": "ABORTED",
        "e1.n0": "SKIPPED",
        "e2": "SKIPPED",
    }


# -------------------------------------------------------------------------------------------- size


def test_a_chain_of_10_000_nodes() -> None:
    length = 10_000
    nodes = [node("n0", "next", a=0), *(node(f"n{i}", "next", a=out(f"n{i - 1}")) for i in range(1, length))]
    program = document(workflow("wf", *nodes, outputs={"o": out(f"n{length - 1}")}), NEXT)
    engine = new_engine(Plan(plan_of(program)), {})
    commands = engine.begin(0)
    for index in range(length):
        (command,) = commands
        assert isinstance(command, RunTask)
        assert command.inputs == {"a": {"literal": index}}
        commands = engine.step(TaskSucceeded(command.node, 1, 1, {"x": index + 1}, 10), index)
    assert commands == [Finish("SUCCEEDED", outputs={"o": {"literal": length}})]


def test_a_failure_skips_a_chain_of_10_000_nodes() -> None:
    nodes = [node("n0", "free"), *(node(f"n{index}", "free", f"n{index - 1}") for index in range(1, 10_000))]
    for policy in (AT_ONCE, AT_THE_END):
        run = Simulation(document(workflow("wf", *nodes, policy=policy), FREE))
        run.fail("n0")
        assert run.engine.counts[NodePhase.SKIPPED] == 9_999


def test_a_chain_of_1_000_sub_workflows_that_only_pass_on_their_input() -> None:
    length = 1_000
    same = workflow("same", inputs=("v",), outputs={"v": given("v")})
    nodes = [node("n0", "same", sub=True, v=given("x"))]
    nodes += [node(f"n{index}", "same", sub=True, v=out(f"n{index - 1}", "v")) for index in range(1, length)]
    program = document(workflow("wf", *nodes, inputs=("x",), outputs={"o": out(f"n{length - 1}", "v")}), same)
    commands = new_engine(Plan(plan_of(program)), {"x": 7}).begin(0)
    assert commands == [Finish("SUCCEEDED", outputs={"o": {"literal": 7}})]


def test_sub_workflows_nested_100_deep() -> None:
    levels = [workflow("w0", node("n", "free"), policy=AT_ONCE)]
    levels += [workflow(f"w{index}", node("n", f"w{index - 1}", sub=True)) for index in range(1, 100)]
    run = Simulation(document(levels[-1], *levels[:-1], FREE))
    assert [path.count(".") for path in run.in_flight] == [99]
    run.restore()
    run.fail(next(iter(run.in_flight)))
    assert set(run.phases.values()) == {"FAILED"}
