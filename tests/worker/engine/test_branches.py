"""Conditionals: the case that is taken, the other cases, and failures."""

from __future__ import annotations

from flytemp.spec.models import Junction
from flytemp_worker.engine.messages import Finish, RequestIO

from .programs import AT_THE_END, branch, document, given, is_, node, out, task, workflow
from .reference_interpreter import evaluate
from .simulation import Simulation

NEXT = task("next", "a")
FREE = task("free")
BIG = task("big", "a")


def choice(x: object) -> Simulation:
    """Return a conditional: a task above 5, a failure below 0, else a nested conditional of one case."""
    inner = branch("n1", (is_(given("x"), "==", 3), node("n0", "free")))
    cases = branch(
        "n0",
        (is_(given("x"), ">", 5), node("n0", "next", a=given("x"))),
        (is_(given("x"), "<", 0), "no negatives"),
        (None, inner),
    )
    after = node("n1", "next", a=out("n0"))
    program = document(workflow("wf", cases, after, inputs=("x",), outputs={"o": out("n1")}), NEXT, FREE)
    return Simulation(program, {"x": x})


def error_of(run: Simulation) -> dict[str, object]:
    assert run.finish is not None
    assert run.finish.error is not None
    return run.finish.error


def test_first_case_that_holds_runs_and_others_are_skipped() -> None:
    run = choice(6)
    assert run.running == ["n0.n0@1.1"]
    assert run.phases == {"n0": "RUNNING", "n0.n0": "RUNNING", "n0.n1": "SKIPPED", "n1": "WAITING"}
    assert run.row("n0.n1")["message"] == "another case of the conditional was taken"
    run.succeed("n0.n0")
    run.succeed("n1")
    assert run.outputs() == evaluate(run.program, "wf", {"x": 6})


def test_nested_conditionals_form_the_node_path() -> None:
    run = choice(3)
    assert run.running == ["n0.n1.n0@1.1"]
    run.restore()
    run.succeed("n0.n1.n0")
    run.succeed("n1")
    assert run.outputs() == evaluate(run.program, "wf", {"x": 3})
    assert run.phases["n0.n0"] == "SKIPPED"


def test_case_can_fail_with_a_message() -> None:
    run = choice(-1)
    assert run.phases == {"n0": "FAILED", "n1": "SKIPPED"}
    error = error_of(run)
    assert (error["code"], error["message"], error["node"]) == ("UserProvidedError", "no negatives", "n0")


def test_conditional_without_matching_case_or_else_fails() -> None:
    run = choice(4)
    assert run.phases == {"n0": "FAILED", "n0.n0": "SKIPPED", "n0.n1": "FAILED", "n1": "SKIPPED"}
    error = error_of(run)
    assert (error["code"], error["node"]) == ("NoBranchTaken", "n0.n1")
    assert error["code"] == "NoBranchTaken"


def test_incomparable_values_fail_the_conditional() -> None:
    run = choice(None)
    error = error_of(run)
    assert (error["code"], error["node"]) == ("invalid-input", "n0")


def test_stored_operands_are_read_and_missing_operands_after_a_deciding_term_are_ignored() -> None:
    either = Junction(kind="or", terms=(is_(out("n0"), ">", 0), is_(out("n0", "s", "none"), "==", 1)))
    cases = branch("n1", (either, node("n0", "free")), (None, node("n2", "next", a=1)))
    run = Simulation(document(workflow("wf", node("n0", "big", a=1), cases), BIG, FREE, NEXT))
    run.succeed("n0", inline=False)
    assert run.requested["n1"] == RequestIO(
        "n1",
        1,
        "read",
        {"values": {"0": {"result": "n0/1", "output": "x"}, "2": {"result": "n0/1", "output": "s", "path": ["none"]}}},
    )
    assert run.row("n1")["asks"] == "read"
    run.restore()
    run.complete_io("n1")
    assert run.running == ["n1.n0@1.1"]


def test_failed_read_of_operands_fails_the_conditional() -> None:
    cases = branch("n1", (is_(out("n0"), ">", 0), node("n0", "free")))
    run = Simulation(document(workflow("wf", node("n0", "big", a=1), cases), BIG, FREE))
    run.succeed("n0", inline=False)
    run.complete_io("n1", {"kind": "SYSTEM", "code": "StoreError", "message": "it is away", "retryable": False})
    assert (error_of(run)["code"], run.phases["n1"]) == ("StoreError", "FAILED")


def test_answer_to_a_conditional_that_is_stopping_ends_it() -> None:
    cases = branch("n1", (is_(out("n0"), ">", 0), node("n0", "free")))
    run = Simulation(document(workflow("wf", node("n0", "big", a=1), cases), BIG, FREE))
    run.succeed("n0", inline=False)
    run.cancel()
    assert run.phases["n1"] == "CANCELLING"
    run.complete_io("n1")
    assert run.phases == {"n0": "SUCCEEDED", "n1": "ABORTED"}
    assert run.finish == Finish("ABORTED", reason="enough")


def test_failure_in_a_case_fails_the_conditional_and_spreads_by_the_failure_policy() -> None:
    cases = branch("n0", (None, node("n0", "free")))
    run = Simulation(document(workflow("wf", cases, node("n1", "free"), node("n2", "free", "n0"), policy=AT_THE_END), FREE))
    run.fail("n0.n0")
    assert run.phases == {"n0": "FAILED", "n0.n0": "FAILED", "n1": "RUNNING", "n2": "SKIPPED"}
    run.succeed("n1")
    assert error_of(run)["node"] == "n0.n0"
