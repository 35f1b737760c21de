"""Failure handlers and time-outs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from flytemp import FlyteError, LaunchPlan, Timeout, conditional, map_task, task, workflow
from flytemp.authoring.errors import SettingsError
from flytemp.compiler import compile_entity
from flytemp.errors import ProgramError
from flytemp.exceptions.user import FlyteFailureNodeInputMismatchException
from flytemp.spec.models import ErrorBinding, InputBinding, LiteralBinding
from tests.messages.golden import check_golden, unlocated

HANDLED: list[tuple[int, FlyteError | None]] = []


@task
def fails(x: int) -> int:
    if x > 1:
        raise ValueError(f"{x} is too large")
    return x


@task
def handle(x: int, reason: FlyteError | None, more: int = 5) -> None:
    HANDLED.append((x, reason))


@workflow
def handle_wf(x: int, err: FlyteError | None = None) -> None:
    handle(x=x, reason=err)


@workflow(on_failure=handle, timeout=timedelta(minutes=1))
def flow(x: int) -> int:
    return fails(x=x)


@workflow(on_failure=handle_wf)
def outer(x: int) -> int:
    return conditional("c").if_(x > 0).then(flow(x=x)).else_().fail("not positive")


def test_the_handler_is_a_separate_node() -> None:
    spec = flow.spec()
    assert spec.timeout_seconds == 60.0
    assert spec.on_failure is not None
    assert (spec.on_failure.id, spec.on_failure.kind, spec.on_failure.target) == ("fn0", "task", handle.name)
    assert spec.on_failure.inputs == {
        "x": InputBinding(var="x"),
        "reason": ErrorBinding(),
        "more": LiteralBinding(value=5),
    }
    assert [node.id for node in spec.nodes] == ["n0"]
    document = compile_entity(outer)
    assert handle.name in document.tasks
    assert handle_wf.name in document.workflows


def test_the_handler_runs_and_the_workflow_remains_failed() -> None:
    HANDLED.clear()
    assert flow(x=1) == 1
    assert HANDLED == []
    with pytest.raises(ValueError, match="3 is too large"):
        flow(x=3)
    assert [(3, FlyteError(message="3 is too large", failed_node_id="n0"))] == HANDLED


def test_sub_workflows_have_their_own_handlers_and_handler_workflows_pass_the_reason() -> None:
    HANDLED.clear()
    with pytest.raises(ValueError, match="3 is too large"):
        outer(x=3)
    assert [(3, FlyteError("3 is too large", "n0.n0.n0"))] * 2 == HANDLED
    HANDLED.clear()
    with pytest.raises(ValueError, match="not positive"):
        outer(x=0)
    assert [(0, FlyteError("not positive", "n0"))] == HANDLED


def test_the_reason_names_the_item_of_a_map() -> None:
    @workflow(on_failure=handle_wf)
    def wf(x: int) -> None:
        map_task(flow)(x=[1, x, 1])

    HANDLED.clear()
    with pytest.raises(ValueError, match="2 is too large"):
        wf(x=2)
    assert [(2, FlyteError("2 is too large", "n0.1.n0"))] * 2 == HANDLED


def test_a_failure_of_the_handler_is_a_note() -> None:
    @task
    def worse(x: int) -> None:
        raise KeyError("worse")

    @workflow(on_failure=worse)
    def wf(x: int) -> int:
        return fails(x=x)

    with pytest.raises(ValueError, match="2 is too large") as raised:
        wf(x=2)
    assert any("failed as well: KeyError" in note for note in raised.value.__notes__)


def test_the_handler_must_take_the_inputs_of_the_workflow() -> None:
    @task
    def other(y: int, z: int) -> None:
        pass

    @task
    def text(x: str) -> None:
        pass

    def wf(x: int) -> int:
        return fails(x=x)

    cases = {
        "other inputs": unlocated(workflow(wf, on_failure=other).spec, FlyteFailureNodeInputMismatchException),
        "an input of another type": unlocated(workflow(wf, on_failure=text).spec, AssertionError),
        "a function": unlocated(lambda: workflow(wf, on_failure=len), SettingsError),
    }
    check_golden("failure-handlers", cases)

    @workflow(on_failure=other)
    def two_problems(x: int) -> int:
        return fails(x="a")  # type: ignore[arg-type]

    with pytest.raises(ProgramError) as both:
        two_problems.spec()
    assert len(both.value.problems) == 2


def test_the_three_time_limits_of_a_task() -> None:
    settings = task(timeout=Timeout(max_runtime=60, max_queued_time=timedelta(hours=1), deadline=90))(fails.function).settings
    assert (settings.timeout_seconds, settings.queued_timeout_seconds, settings.deadline_seconds) == (60.0, 3600.0, 90.0)

    @workflow
    def wf() -> None:
        fails(x=1).with_overrides(timeout=Timeout(deadline=5))  # type: ignore[attr-defined]
        fails(x=1).with_overrides(timeout=7)  # type: ignore[attr-defined]

    first, second = [node.overrides.settings for node in wf.spec().nodes]
    assert first is not None
    assert second is not None
    assert (first.timeout_seconds, first.deadline_seconds, second.timeout_seconds) == (None, 5.0, 7.0)
    plan = LaunchPlan.create("failure_timeout", flow, timeout=30)
    assert plan.spec().timeout_seconds == 30.0
    refused: list[Any] = [
        lambda: Timeout(deadline=-1),
        lambda: workflow(timeout="1h"),  # type: ignore[call-overload]
        lambda: LaunchPlan.create("failure_refused", flow, timeout=-1),
    ]
    for make in refused:
        with pytest.raises(SettingsError):
            make()
