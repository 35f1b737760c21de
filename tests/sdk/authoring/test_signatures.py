"""Signatures of tasks and workflows: the checks of decorators, defaults of None, and Optional inputs."""

from __future__ import annotations

import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flytemp import (
    ContainerTask,
    ImperativeWorkflow,
    LaunchPlan,
    dynamic,
    kwtypes,
    map_task,
    reference_task,
    task,
    workflow,
)
from flytemp.authoring.entity_registry import deferred_checks
from flytemp.authoring.errors import MissingInputs, SignatureError
from flytemp.compiler import code_warnings, compile_program, load_program, program_warnings
from flytemp.errors import ProgramError
from flytemp.exceptions.user import FlyteMissingTypeException
from flytemp.spec.models import LaunchPlanDocument


@task
def shown(x: int | None, y: int = 5) -> str:
    return f"{x} {y}"


@task
def required(x: str = None) -> str:  # type: ignore[assignment]  # noqa: RUF013
    return x


# ----------------------------------------------------------------------------------- checks of decorators


def untyped(x): ...  # type: ignore[no-untyped-def]


def variadic(*x: int) -> None: ...


def bare_output() -> tuple: ...  # type: ignore[type-arg,empty-body]


def bare_input(x: list[tuple] | None) -> None: ...  # type: ignore[type-arg]


def one_item() -> tuple[int]: ...  # type: ignore[empty-body]


def old_bare(x: typing.Tuple) -> None: ...  # type: ignore[type-arg]  # noqa: UP006


DECORATORS: list[Callable[..., Any]] = [task, dynamic, workflow, reference_task("p", "d", "n")]


@pytest.mark.parametrize("function", [untyped, variadic, bare_output, bare_input, one_item, old_bare])
@pytest.mark.parametrize("decorate", DECORATORS, ids=["task", "dynamic", "workflow", "reference"])
def test_a_decorator_refuses_a_wrong_signature(decorate: Callable[..., Any], function: Callable[..., Any]) -> None:
    with pytest.raises(SignatureError) as raised:
        decorate(function)
    assert isinstance(raised.value, TypeError)
    assert isinstance(raised.value, ValueError)
    assert isinstance(raised.value, FlyteMissingTypeException) == (function is untyped)
    (problem,) = raised.value.problems
    assert problem.location is not None
    assert problem.location.line == function.__code__.co_firstlineno


@pytest.mark.parametrize("types", [{"inputs": kwtypes(x=tuple)}, {"outputs": kwtypes(x=list[tuple])}])
def test_a_container_task_refuses_bare_tuples(types: dict[str, Any]) -> None:
    with pytest.raises(SignatureError):
        ContainerTask(name="c", image="i", command=["run"], **types)


def test_a_decorator_reports_all_problems() -> None:
    def wrong(a, *b: int) -> tuple: ...  # type: ignore[no-untyped-def,type-arg,empty-body]

    with pytest.raises(SignatureError) as raised:
        task(wrong)
    assert len(raised.value.problems) == 3


def test_a_decorator_accepts_a_class_that_is_defined_later() -> None:
    @task
    def uses(x: Later) -> int:  # type: ignore[name-defined]  # noqa: F821
        return 1

    with pytest.raises(ProgramError, match="Later"):
        _ = uses.python_interface


class Textless(Exception):
    def __str__(self) -> str:
        raise ValueError


def fails() -> type:
    raise Textless


def test_an_annotation_may_raise_an_exception_without_a_text() -> None:
    def unreadable(x: int) -> None: ...

    unreadable.__annotations__["x"] = "fails()"
    with pytest.raises(SignatureError, match="annotations cannot be read: Textless, whose text is not available"):
        task(unreadable)(x=1)


def test_deferred_checks_fail_at_the_first_use() -> None:
    with deferred_checks():
        made = task(untyped)
    with pytest.raises(FlyteMissingTypeException):
        made(x=1)


def test_the_compiler_reports_wrong_signatures_of_all_functions_together(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text(
        "from flytemp import task, workflow\n@task\ndef a(x): ...\n@task\ndef b() -> tuple: ...\n@workflow\ndef c(y): ...\n"
    )
    with pytest.raises(ProgramError) as raised:
        compile_program(load_program([tmp_path / "m.py"]), None)
    assert [problem.location.line for problem in raised.value.problems if problem.location] == [3, 5, 7]


def test_decorators_take_their_function_by_keyword() -> None:
    def double(x: int) -> int:
        return 2 * x

    doubled = task(_task_function=double)

    def twice(x: int) -> int:
        return doubled(x=doubled(x=x))

    assert doubled(x=2) == 4
    assert doubled.task_function(2) == 4
    assert dynamic(_task_function=twice)(x=2) == 8
    assert workflow(_workflow_function=twice)(x=2) == 8


# ------------------------------------------------------------------------------------ defaults and None


def test_none_as_the_default_of_another_type_makes_the_input_required(tmp_path: Path) -> None:
    (variable,) = required.interface.inputs
    assert (variable.required, variable.default) == (True, None)
    with pytest.raises(MissingInputs):
        required()
    assert required(x="a") == "a"
    text = """
import os
from flytemp import task, workflow

@task
def t(x: str = os.getenv("FLYTEMP_NOT_SET"), y: int = 1) -> str:
    return x

@workflow
def wf(n: float = None) -> str:
    return t(x="a")
"""
    (tmp_path / "m.py").write_text(text)
    program = load_program([tmp_path / "m.py"])
    compile_program(program, None)
    warnings = program_warnings(program)
    assert [warning.location.line for warning in warnings if warning.location] == [6, 10]
    assert code_warnings(program, program.tasks["m.t"]) == warnings[:1]


def test_none_as_a_default_of_a_launch_plan_has_no_effect(tmp_path: Path) -> None:
    text = """
import os
from flytemp import LaunchPlan, task, workflow

@task
def t(x: str, y: int | None) -> str:
    return f"{x} {y}"

@workflow
def wf(x: str, y: int | None) -> str:
    return t(x=x, y=y)

lp = LaunchPlan.get_or_create(wf, "lp", default_inputs={"x": os.getenv("FLYTEMP_NOT_SET"), "y": None})
"""
    (tmp_path / "m.py").write_text(text)
    program = load_program([tmp_path / "m.py"])
    documents = {document.name: document for document in compile_program(program, None)}
    plan = documents["lp"]
    assert isinstance(plan, LaunchPlanDocument)
    assert plan.launch_plan.default_inputs == {"y": None}
    (warning,) = program_warnings(program)
    assert warning.location is not None
    assert (warning.location.line, "'x'" in warning.message) == (13, True)
    lp = program.launch_plans["lp"]
    with pytest.raises(MissingInputs):
        lp()
    assert lp(x="a") == "a None"


@task
def anything(x: Any = None, y: str | None = None, z: int | None = None) -> str:
    return f"{x} {y} {z}"


def test_none_as_the_default_of_an_optional_input_is_a_default() -> None:
    assert [variable.required for variable in anything.interface.inputs] == [False] * 3
    assert anything.python_interface.warnings == ()
    assert anything() == "None None None"


def test_omitted_optional_inputs_are_none() -> None:
    @workflow
    def called(x: int | None) -> str:
        return shown(x=x)

    @workflow
    def outer() -> str:
        return called()  # type: ignore[call-arg]

    @dynamic
    def generated() -> str:
        return shown()  # type: ignore[call-arg]

    imperative = ImperativeWorkflow("optional.inputs")
    imperative.add_workflow_input("x", int | None)
    imperative.add_workflow_output("o0", imperative.add_entity(shown, x=imperative.inputs["x"]).outputs["o0"])
    plan = LaunchPlan.get_or_create(called, name="optional inputs", default_inputs={"x": 3})

    assert shown() == called() == outer() == generated() == imperative() == "None 5"  # type: ignore[call-arg]
    assert plan() == "3 5"
    assert map_task(shown)(y=[1, 2]) == ["None 1", "None 2"]


def test_tasks_of_types_may_have_optional_inputs() -> None:
    container = ContainerTask(name="c", image="i", command=["run"], inputs=kwtypes(x=int | None, y=int))
    assert [(variable.name, variable.required) for variable in container.interface.inputs] == [("x", False), ("y", True)]


@pytest.mark.filterwarnings("default::UserWarning")
def test_returned_value_without_declared_outputs_is_dropped_with_a_warning(tmp_path: Path) -> None:
    @workflow
    def returns():  # type: ignore[no-untyped-def]
        return shown(x=1)

    @dynamic
    def generates():  # type: ignore[no-untyped-def]
        return shown(x=1)

    with pytest.warns(UserWarning, match="returns a value"):
        assert returns() is None
    with pytest.warns(UserWarning, match="returns a value"):
        assert generates() is None
    (warning,) = returns.graph().warnings
    assert warning.location == returns.site.location
    assert returns.spec().outputs == {}
