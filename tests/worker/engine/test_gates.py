"""Gates and sleeps: early and late answers, by name and by path, and no answer."""

from __future__ import annotations

from flytemp.spec.models import NodeSpec
from flytemp_worker.engine.messages import BroadcastToChunks, CancelTimer, GateAnswered, StartTimer

from .programs import AT_THE_END, approval, asked, document, mapped, node, out, sleep, task, workflow
from .reference_interpreter import evaluate, said
from .simulation import Limits, Simulation

NEXT = task("next", "a")


def waiting(*nodes: NodeSpec, after: bool = True) -> Simulation:
    """Return an execution in which the nodes follow a task ``first``."""
    first = node("first", "next", a=1)
    made = [n.model_copy(update={"after": ("first",)}) if after else n for n in nodes]
    return Simulation(document(workflow("wf", first, *made, policy=AT_THE_END), NEXT))


def error_of(run: Simulation) -> dict[str, object]:
    assert run.finish is not None
    assert run.finish.error is not None
    return run.finish.error


def test_input_gate_returns_the_answer() -> None:
    nodes = (asked("n0", "threshold"), node("n1", "next", a=out("n0", "o0")))
    run = Simulation(document(workflow("wf", *nodes, outputs={"o": out("n1")}), NEXT))
    assert run.phases == {"n0": "RUNNING", "n1": "WAITING"}
    assert run.row("n0")["message"] == "waits for the input 'threshold'"
    assert list(run.engine.waiting) == ["n0"]
    run.restore()
    commands = run.answer("threshold", said("threshold"))
    answer = {"gate": "threshold", "by": "ann", "at": run.at - 7, "value": said("threshold")}
    assert commands[0] == BroadcastToChunks({"answer": answer})
    assert run.row("n0")["answer"]["by"] == "ann"
    run.succeed("n1")
    assert run.outputs() == evaluate(run.program, "wf", {})


def test_approval_passes_its_value_on() -> None:
    nodes = (node("n0", "next", a=1), approval("n1", "ok", value=out("n0", "s")), node("n2", "next", a=out("n1", "o0", "a")))
    run = Simulation(document(workflow("wf", *nodes, outputs={"o": out("n2"), "p": out("n1", "o0")}), NEXT))
    run.succeed("n0")
    run.answer("n1")
    run.restore()
    run.succeed("n2")
    assert run.outputs() == evaluate(run.program, "wf", {})


def test_rejection_fails_the_gate_with_user_and_reason() -> None:
    run = waiting(approval("n0", "ok"), node("n1", "next", "n0", a=1), after=False)
    run.succeed("first")
    run.answer("ok", approved=False, reason="too expensive")
    assert run.phases == {"first": "SUCCEEDED", "n0": "FAILED", "n1": "SKIPPED"}
    error = error_of(run)
    assert error["code"] == "ReceivedRejectSignal"
    assert error["message"] == "'ok' was rejected by ann: too expensive"


def test_answer_can_be_given_before_the_gate_starts() -> None:
    run = waiting(approval("n0", "ok"), asked("n1", "in"))
    run.answer("ok")
    run.answer("n1", 5)
    run.restore()
    assert run.phases == {"first": "RUNNING", "n0": "WAITING", "n1": "WAITING"}
    run.succeed("first")
    assert run.finish is not None
    assert run.row("n1")["outputs"] == {"o0": 5}


def test_chain_of_answered_gates_ends_at_once() -> None:
    run = Simulation(document(workflow("wf", asked("n0", "in"), asked("n1", "in", "n0"), approval("n2", "ok", "n1"))))
    run.answer("ok")
    run.answer("in", 1)
    assert set(run.phases.values()) == {"SUCCEEDED"}


def test_name_answers_all_waiting_gates_and_path_answers_one() -> None:
    run = waiting(approval("n0", "ok"), approval("n1", "ok"), approval("n2", "ok"))
    run.succeed("first")
    run.answer("n1")
    assert list(run.engine.waiting) == ["n0", "n2"]
    run.answer("ok")
    assert set(run.phases.values()) == {"SUCCEEDED"}


def test_answer_of_another_kind_is_ignored() -> None:
    run = waiting(approval("n0", "both"), asked("n1", "both"))
    run.succeed("first")
    run.answer("both", 3)
    assert run.phases == {"first": "SUCCEEDED", "n0": "RUNNING", "n1": "SUCCEEDED"}


def test_gate_without_an_answer_times_out() -> None:
    run = Simulation(document(workflow("wf", asked("n0", "in", timeout=60), node("n1", "next", "n0", a=1)), NEXT))
    assert run.issued[0] == [StartTimer("n0", 1, 1, 60, "time-out of the gate")]
    run.restore()
    run.fire("n0")
    assert run.phases == {"n0": "TIMED_OUT", "n1": "SKIPPED"}
    assert run.finish is not None
    assert run.finish.phase == "FAILED"
    assert error_of(run)["code"] == "Timeout"


def test_answer_stops_the_time_out() -> None:
    run = Simulation(document(workflow("wf", asked("n0", "in", timeout=60))))
    assert run.answer("in", 3)[0] == CancelTimer("n0", 1, 1)


def test_cancel_ends_waiting_gates_and_sleeps() -> None:
    run = Simulation(document(workflow("wf", asked("n0", "in", timeout=60), sleep("n1", 60), approval("n2", "ok"))))
    commands = run.cancel()
    assert commands[:2] == [CancelTimer("n0", 1, 1), CancelTimer("n1", 1, 1)]
    assert run.phases == {"n0": "ABORTED", "n1": "ABORTED", "n2": "ABORTED"}
    assert not run.engine.waiting


def test_sleep_ends_by_its_timer() -> None:
    run = Simulation(document(workflow("wf", sleep("n0", 90), sleep("n1", 0, "n0"), node("n2", "next", "n1", a=1)), NEXT))
    assert run.issued[0] == [StartTimer("n0", 1, 1, 90, "sleep")]
    (again,) = run.restore()
    assert again == StartTimer("n0", 1, 1, 89.993, "sleep, resumed")
    assert run.fire("n0") == [StartTimer("n1", 1, 1, 0.001, "sleep")]
    run.fire("n1")
    assert run.running == ["n2@1.1"]


def test_chunks_receive_new_and_earlier_answers() -> None:
    inner = workflow("inner", approval("n0", "ok"), asked("n1", "in", "n0"), inputs=("a",))
    root = workflow("wf", node("first", "next", a=1), mapped("n0", "inner", "first", of="workflow", a=[1, 2, 3]))
    run = Simulation(document(root, inner, NEXT), limits=Limits(max_map_items=2))
    run.answer("ok")
    run.succeed("first")
    run.complete_io("n0")
    chunk = run.chunks["n0", 0]
    assert list(chunk.engine.waiting) == ["n0.0.n1", "n0.1.n1"]
    run.answer("in", 1)
    assert chunk.finish is not None


def test_answers_for_later_gates_are_kept_up_to_a_limit() -> None:
    run = Simulation(document(workflow("wf", approval("n0", "ok"))))
    for number in range(20):
        run.answer(f"later{number}", "x" * 100_000)
    assert len(run.engine.answers) == 11
    run.answer("ok")
    assert run.finish is not None


def test_finished_execution_ignores_answers() -> None:
    run = Simulation(document(workflow("wf", asked("n0", "in"))))
    run.answer("in", 3)
    assert run.engine.step(GateAnswered("in", {"by": "bob", "at": 1, "value": 4}), run.at) == []
    assert run.engine.answers["in"]["value"] == 3
