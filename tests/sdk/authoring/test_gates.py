"""Gates and sleeps."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta

import pytest

from flytemp import approve, conditional, sleep, task, wait_for_input, workflow
from flytemp.literals.types import SimpleType
from flytemp.spec.models import GateSpec, InputBinding, OutputBinding
from tests.messages.golden import Case, check_golden, unlocated


@task
def number(x: int = 1) -> int:
    return x


@task
def nothing() -> None:
    pass


@workflow
def gated(x: int) -> int:
    y = approve(number(x=x), "good", timeout=timedelta(minutes=2))
    sleep(timedelta(seconds=10)) >> y  # type: ignore[operator]
    z = wait_for_input("other", timeout=None, expected_type=int)
    approve(x, "input", timeout=5)
    return conditional("c").if_(z > 1).then(number(x=y)).else_().then(wait_for_input("last", timeout=1, expected_type=int))


def answers(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def test_gates_are_nodes() -> None:
    nodes = {node.id: node for node in gated.spec().nodes}
    integer = SimpleType(kind="integer")
    assert nodes["n1"].gate == GateSpec(kind="approve", name="good", type=integer, timeout_seconds=120.0)
    assert nodes["n1"].inputs == {"value": OutputBinding(node="n0", var="o0")}
    assert nodes["n1"].after == ("n2",)
    assert (nodes["n2"].kind, nodes["n2"].sleep_seconds) == ("sleep", 10.0)
    assert nodes["n3"].gate == GateSpec(kind="input", name="other", type=integer, timeout_seconds=3600.0)
    assert nodes["n4"].inputs == {"value": InputBinding(var="x")}
    assert nodes["n5"].branch is not None
    assert [case.node.kind for case in nodes["n5"].branch.cases if case.node] == ["task", "gate"]
    assert [node.target for node in nodes.values()][1:] == [""] * 5


def test_a_plain_call_prompts_on_the_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    answers(monkeypatch, "y\n5\nYes\n")
    assert gated(x=3) == 3
    out = capsys.readouterr().out
    assert "[Sleep Gate] Simulating Sleep for 0:00:10" in out
    assert "[Approval Gate] @good Approve 3? [y/N]: " in out
    assert "[Input Gate] Waiting for input @other of type int: " in out
    answers(monkeypatch, "y\n1\ny\n42\n")
    assert gated(x=3) == 42


def test_rejections_and_wrong_answers_raise(monkeypatch: pytest.MonkeyPatch) -> None:
    def answered(text: str) -> Case:
        def call() -> object:
            answers(monkeypatch, text)
            return gated(x=3)

        return unlocated(call)

    check_golden("gate-answers", {"rejected": answered("\n"), "no integer": answered("y\nmany\n"), "no answer": answered("")})


def test_gates_outside_of_a_workflow_prompt_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, "y\n2.5\n")
    assert approve(7, "seven", timeout=None) == 7
    assert wait_for_input("half", timeout=None, expected_type=float) == 2.5
    assert sleep(3600) is None


BOOLEANS = [("y", True), ("Yes", True), ("t", True), ("1", True), ("n", False), ("off", False)]


@pytest.mark.parametrize(("answer", "value"), BOOLEANS)
def test_a_boolean_gate_takes_the_words_of_flytekit(answer: str, value: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, f"{answer}\n")
    assert wait_for_input("go", timeout=None, expected_type=bool) is value


def test_an_invalid_answer_is_asked_for_again(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    answers(monkeypatch, "many\n3\nperhaps\ny\n")
    assert wait_for_input("count", timeout=None, expected_type=int) == 3
    assert approve(7, "seven", timeout=None) == 7
    assert capsys.readouterr().out.count("Error: ") == 2


def test_invalid_gates_are_refused() -> None:
    calls: dict[str, Callable[[], object]] = {
        "approval of nothing": lambda: approve(nothing(), "a", timeout=1),
        "empty name": lambda: approve(number(), "", timeout=1),
        "text as a time": lambda: approve(number(), "a", timeout="1h"),
        "approval of an unsupported value": lambda: approve(1j, "a", timeout=1),
        "unsupported type": lambda: wait_for_input("a", timeout=1, expected_type=complex),
        "text as a duration": lambda: sleep("1h"),
        "override of a sleep": lambda: sleep(1).with_overrides(retries=1),
        "override of a gate": lambda: approve(number(), "a", 1).with_overrides(timeout=1),
    }

    def made(call: Callable[[], object]) -> Case:
        @workflow
        def wf() -> None:
            call()

        return unlocated(wf.spec)

    check_golden("gates", {name: made(call) for name, call in calls.items()})
