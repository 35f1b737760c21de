"""Gates and sleeps: answers before and after they are waited for, by name and by path, and none at all."""

from __future__ import annotations

from flytemp.spec.models import NodeSpec
from flytemp_worker.engine import BroadcastToChunks, CancelTimer, GateAnswered, StartTimer

from .programs import AT_THE_END, approval, asked, document, mapped, node, out, sleep, task, workflow
from .reference_interpreter import evaluate, said
from .simulation import Limits, Simulation

NEXT = task("next", "a")


def waiting(*nodes: NodeSpec, after: bool = True) -> Simulation:
    """The nodes come after a task ``first``."""
    first = node("first", "next", a=1)
    made = [n.model_copy(update={"after": ("first",)}) if after else n for n in nodes]
    return Simulation(document(workflow("wf", first, *made, policy=AT_THE_END), NEXT))


def error_of(run: Simulation) -> dict[str, object]:
    assert run.finish is not None
    assert run.finish.error is not None
    return run.finish.error


def test_an_input_is_what_is_answered() -> None:
    nodes = (asked("n0", "threshold"), node("n1", "next", a=out("n0", "o0")))
    run = Simulation(document(workflow("wf", *nodes, outputs={"o": out("n1")}), NEXT))
    assert run.phases == {"n0": "RUNNING", "n1": "WAITING"}
    assert run.row("n0")["message"] == "waits for the input 'threshold'"
    assert list(run.engine.waiting) == ["n0"]
    run.restore()
    commands = run.answer("threshold", said("threshold"))
    told = {"gate": "threshold", "by": "ann", "at": run.at - 7, "value": said("threshold")}
    assert commands[0] == BroadcastToChunks({"answer": told})
    assert run.row("n0")["extra"]["answer"]["by"] == "ann"
    run.succeed("n1")
    assert run.outputs() == evaluate(run.program, "wf", {})


def test_an_approval_hands_its_value_on() -> None:
    nodes = (node("n0", "next", a=1), approval("n1", "ok", value=out("n0", "s")), node("n2", "next", a=out("n1", "o0", "a")))
    run = Simulation(document(workflow("wf", *nodes, outputs={"o": out("n2"), "p": out("n1", "o0")}), NEXT))
    run.succeed("n0")
    run.answer("n1")
    run.restore()
    run.succeed("n2")
    assert run.outputs() == evaluate(run.program, "wf", {})


def test_a_rejection_fails_the_gate_with_who_and_why() -> None:
    run = waiting(approval("n0", "ok"), node("n1", "next", "n0", a=1), after=False)
    run.succeed("first")
    run.answer("ok", approved=False, reason="too expensive")
    assert run.phases == {"first": "SUCCEEDED", "n0": "FAILED", "n1": "SKIPPED"}
    error = error_of(run)
    assert error["code"] == "ReceivedRejectSignal"
    assert error["message"] == "'ok' was rejected by ann: too expensive"


def test_an_answer_may_come_before_by_name_or_by_path() -> None:
    run = waiting(approval("n0", "ok"), asked("n1", "in"))
    run.answer("ok")
    run.answer("n1", 5)
    run.restore()
    assert run.phases == {"first": "RUNNING", "n0": "WAITING", "n1": "WAITING"}
    run.succeed("first")
    assert run.finish is not None
    assert run.row("n1")["outputs"] == {"o0": 5}


def test_a_chain_of_gates_that_were_answered_before_ends_once() -> None:
    run = Simulation(document(workflow("wf", asked("n0", "in"), asked("n1", "in", "n0"), approval("n2", "ok", "n1"))))
    run.answer("ok")
    run.answer("in", 1)
    assert set(run.phases.values()) == {"SUCCEEDED"}


def test_a_name_answers_all_that_wait_and_a_path_one() -> None:
    run = waiting(approval("n0", "ok"), approval("n1", "ok"), approval("n2", "ok"))
    run.succeed("first")
    run.answer("n1")
    assert list(run.engine.waiting) == ["n0", "n2"]
    run.answer("ok")
    assert set(run.phases.values()) == {"SUCCEEDED"}


def test_an_answer_of_the_other_kind_is_not_taken() -> None:
    run = waiting(approval("n0", "both"), asked("n1", "both"))
    run.succeed("first")
    run.answer("both", 3)
    assert run.phases == {"first": "SUCCEEDED", "n0": "RUNNING", "n1": "SUCCEEDED"}


def test_nobody_answers_in_time() -> None:
    run = Simulation(document(workflow("wf", asked("n0", "in", timeout=60), node("n1", "next", "n0", a=1)), NEXT))
    assert run.issued[0] == [StartTimer("n0", 1, 1, 60, "time-out of the gate")]
    run.restore()
    run.fire("n0")
    assert run.phases == {"n0": "TIMED_OUT", "n1": "SKIPPED"}
    assert run.finish is not None
    assert run.finish.phase == "FAILED"
    assert (error_of(run)["code"], error_of(run)["message"]) == ("Timeout", "nobody answered the gate 'in' within 60 s")


def test_an_answer_stops_the_time_out() -> None:
    run = Simulation(document(workflow("wf", asked("n0", "in", timeout=60))))
    assert run.answer("in", 3)[0] == CancelTimer("n0", 1, 1)


def test_cancel_ends_what_waits() -> None:
    run = Simulation(document(workflow("wf", asked("n0", "in", timeout=60), sleep("n1", 60), approval("n2", "ok"))))
    commands = run.cancel()
    assert commands[:2] == [CancelTimer("n0", 1, 1), CancelTimer("n1", 1, 1)]
    assert run.phases == {"n0": "ABORTED", "n1": "ABORTED", "n2": "ABORTED"}
    assert not run.engine.waiting


def test_sleeps() -> None:
    run = Simulation(document(workflow("wf", sleep("n0", 90), sleep("n1", 0, "n0"), node("n2", "next", "n1", a=1)), NEXT))
    assert run.issued[0] == [StartTimer("n0", 1, 1, 90, "sleep")]
    (again,) = run.restore()
    assert again == StartTimer("n0", 1, 1, 89.993, "sleep, resumed")
    assert run.fire("n0") == [StartTimer("n1", 1, 1, 0.001, "sleep")]
    run.fire("n1")
    assert run.running == ["n2@1.1"]


def test_parts_of_a_map_hear_answers_those_from_before_as_well() -> None:
    inner = workflow("inner", approval("n0", "ok"), asked("n1", "in", "n0"), inputs=("a",))
    root = workflow("wf", node("first", "next", a=1), mapped("n0", "inner", "first", of="workflow", a=[1, 2, 3]))
    run = Simulation(document(root, inner, NEXT), limits=Limits(max_map_items=2))
    run.answer("ok")
    run.succeed("first")
    run.tell("n0")
    part = run.parts["n0", 0]
    assert list(part.engine.waiting) == ["n0.0.n1", "n0.1.n1"]
    run.answer("in", 1)
    assert part.finish is not None


def test_an_execution_that_is_over_takes_no_answer() -> None:
    run = Simulation(document(workflow("wf", asked("n0", "in"))))
    run.answer("in", 3)
    assert run.engine.step(GateAnswered("in", {"by": "bob", "at": 1, "value": 4}), run.at) == []
    assert run.engine.answers["in"]["value"] == 3
