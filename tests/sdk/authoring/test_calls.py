"""Tasks, workflows and launch plans called as plain Python."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from flytemp import LaunchPlan, NonRecoverableError, current_context, task, workflow
from flytemp.authoring.context import ExecutionId, ExecutionParameters, FlyteContextManager, TaskId, use_context
from flytemp.compiler import compile_entity
from flytemp.errors import InputError, LimitExceeded, NotSupported, ProgramError, TypeMismatch
from tests.messages.golden import check_golden, unlocated


@dataclass
class Point:
    x: int
    tags: list[str]


class Pair(NamedTuple):
    left: int
    right: str


@task
def add(a: int, b: int = 10) -> int:
    return a + b


@task
def append(values: list[int] = [1]) -> list[int]:  # noqa: B006 - the test checks that it is safe
    values.append(2)
    return values


@task
def move(point: Point) -> Point:
    point.tags.append("moved")
    return Point(point.x + 1, point.tags)


@task
def pair(x: int) -> Pair:
    return Pair(x, str(x))


@task
def two(x: int) -> tuple[int, str]:
    return x, str(x)


@task
def fails(x: int) -> int:
    raise KeyError(x)


@task
def final(x: int) -> int:
    raise NonRecoverableError("never again")


@task
async def later(x: int) -> int:
    await asyncio.to_thread(int, "1")
    return add(a=x, b=1)


@task
def lies(x: int) -> float:
    return str(x)  # type: ignore[return-value]


@task
def short(x: int) -> tuple[int, int]:
    return (x,)  # type: ignore[return-value]


@task
def positional(x: int, /, y: int) -> int:
    return x - y


@workflow
def chain(x: int, y: int = 5) -> int:
    return add(a=add(a=x, b=y), b=y)


@workflow
def mixed(x: int) -> tuple[int, str]:
    number, _text = two(x=x)
    return number, pair(x=number).right


@workflow
def with_async(x: int) -> int:
    return later(x=later(x=x))  # type: ignore[arg-type, return-value]


@workflow
def defaults() -> list[int]:
    return append()


@workflow
def breaks(x: int) -> int:
    return fails(x=add(a=x))


plan = LaunchPlan.get_or_create(chain, name="calls-plan", default_inputs={"x": 1}, fixed_inputs={"y": 2})


def test_a_call_runs_the_function() -> None:
    assert add(a=1) == 11
    assert add(1, 2) == 3
    assert positional(5, y=2) == 3
    assert functools.partial(add, b=1)(a=1) == 2
    assert add.__name__ == "add"
    assert add.name.endswith("test_calls.add")


def test_values_are_copies() -> None:
    point = Point(1, [])
    assert move(point=point) == Point(2, ["moved"])
    assert point == Point(1, [])
    assert (append(), append()) == ([1, 2], [1, 2])
    assert (defaults(), defaults()) == ([1, 2], [1, 2])


def test_several_outputs_are_a_named_tuple() -> None:
    assert pair(x=1) == Pair(1, "1")
    assert isinstance(pair(x=1), Pair)
    result: Any = two(x=1)
    assert (result.o0, result.o1) == result == (1, "1")
    assert mixed(x=3) == (3, "3")


WRONG_CALLS: dict[str, tuple[type[Exception], Callable[[], object]]] = {
    "a text for an integer": (TypeMismatch, lambda: add(a="1")),
    "a Boolean for an integer": (TypeMismatch, lambda: add(a=True)),
    "a float for an integer": (TypeMismatch, lambda: add(a=1.0)),
    "an output of another type": (TypeMismatch, lambda: lies(x=1)),
    "too few outputs": (InputError, lambda: short(x=1)),
    "a missing input": (TypeError, lambda: add()),
    "an unknown input": (AssertionError, lambda: add(c=1)),
    "too many inputs": (AssertionError, lambda: add(1, 2, 3)),
    "a value that is too large": (LimitExceeded, lambda: append(values=list(range(600_000)))),
    "a workflow's input of another type": (TypeMismatch, lambda: chain(x="")),
    "a fixed input": (AssertionError, lambda: plan(y=3)),
    "an unknown input of a launch plan": (AssertionError, lambda: plan(z=3)),
    "a positional input of a launch plan": (AssertionError, lambda: plan(1)),
}


def test_texts_of_wrong_calls() -> None:
    check_golden("calls", {name: unlocated(call) for name, (_, call) in WRONG_CALLS.items()})


@pytest.mark.parametrize(("kind", "call"), WRONG_CALLS.values(), ids=WRONG_CALLS.keys())
def test_wrong_calls_raise_the_expected_classes(kind: type[Exception], call: Callable[[], object]) -> None:
    with pytest.raises(kind) as raised:
        call()
    assert isinstance(raised.value, InputError)


def test_wrong_calls_have_the_line_of_the_call() -> None:
    with pytest.raises(AssertionError) as raised:
        add(nonsense=1)  # type: ignore[call-arg]
    assert isinstance(raised.value, InputError)
    assert raised.value.location is not None
    assert raised.value.location.file == __file__
    assert "add(nonsense=1)" in Path(__file__).read_text().splitlines()[raised.value.location.line - 1]


def test_exceptions_of_tasks_are_raised_with_a_note() -> None:
    with pytest.raises(KeyError) as raised:
        breaks(x=1)
    assert raised.value.args == (11,)
    assert any("raised by task" in note and ".fails'" in note for note in raised.value.__notes__)
    with pytest.raises(NonRecoverableError, match="never again"):
        final(x=1)


async def test_an_async_task_returns_an_awaitable() -> None:
    assert await later(x=1) == 2
    assert with_async(x=1) == 3, "also inside a running event loop"
    with pytest.raises(TypeMismatch):
        later(x="1")  # type: ignore[arg-type]


def test_async_tasks_run_in_workflows_without_a_loop() -> None:
    assert with_async(x=1) == 3


def test_launch_plans_run_their_workflows() -> None:
    assert plan() == 5
    assert plan(x=10) == 14
    assert LaunchPlan.get_or_create(chain)(x=1) == 11
    assert LaunchPlan.get_default_launch_plan(current_context(), chain)(x=1, y=1) == 3
    assert LaunchPlan.get_or_create(chain, name="calls-plan", default_inputs={"x": 1}, fixed_inputs={"y": 2}) is plan


def test_launch_plans_of_one_name_are_one_object() -> None:
    @workflow
    def wf(x: int = 1) -> int:
        return add(a=x)

    default = LaunchPlan.get_or_create(wf)
    assert default is LaunchPlan.get_or_create(workflow=wf) is LaunchPlan.get_default_launch_plan(None, wf)
    named = LaunchPlan.get_or_create(wf, name="one object", default_inputs={"x": 2})
    assert named is LaunchPlan.get_or_create(wf, name="one object", default_inputs={"x": 2})
    assert (default(), named()) == (11, 12)


def test_invalid_launch_plans_are_refused() -> None:
    get, wrong = LaunchPlan.get_or_create, AssertionError
    cases = {
        "a call without an input": unlocated(lambda: get(chain)(), TypeError),
        "a name twice": unlocated(lambda: LaunchPlan.create("calls-plan", chain), wrong),
        "other inputs": unlocated(lambda: get(chain, name="calls-plan", default_inputs={"x": 1}), wrong),
        "another workflow": unlocated(lambda: get(mixed, name="calls-plan"), wrong),
        "inputs without a name": unlocated(lambda: get(chain, default_inputs={"x": 1}), ValueError),
        "a task": unlocated(lambda: get(add, name="of-a-task"), ValueError),  # type: ignore[arg-type]
        "negative parallelism": unlocated(lambda: get(chain, name="parallel", max_parallelism=-1), ValueError),
    }
    check_golden("launch-plans", cases, {f"{__file__}:{plan.site.location.line}": "FILE:LINE"})


def test_the_graph_is_built_once_on_demand() -> None:
    made: list[int] = []

    @workflow
    def counted(x: int) -> int:
        made.append(1)
        return add(a=x)

    assert made == []
    assert (counted(x=1), counted(x=2), counted.spec().name.endswith("counted")) == (11, 12, True)
    assert made == [1]


def test_exceptions_of_a_workflows_function_are_raised() -> None:
    @workflow
    def broken(x: int) -> int:
        raise LookupError("mine")

    for _ in range(2):
        with pytest.raises(LookupError, match="mine"):
            broken(x=1)
    with pytest.raises(ProgramError, match="mine"):
        compile_entity(broken)


def test_a_task_can_call_tasks_and_workflows() -> None:
    @task
    def outer(x: int) -> int:
        assert FlyteContextManager.current_context().compilation_state is None
        return chain(x=x) + add(a=x)

    @workflow
    def around(x: int) -> int:
        return outer(x=x)

    assert around(x=1) == 22


# ------------------------------------------------------------------------------------------- context


def test_the_context_of_a_plain_call() -> None:
    seen: list[ExecutionParameters] = []

    @task
    def look() -> None:
        seen.append(current_context())

    @workflow
    def looks() -> None:
        look()
        look()

    looks()
    first, second = seen
    assert str(first.execution_id) == "ex:local:local:local"
    assert first.execution_date == second.execution_date
    assert first.execution_date.tzinfo is UTC
    assert first.task_id is not None
    assert first.task_id.name.endswith("look")
    assert current_context().task_id is None
    assert Path(first.working_directory).is_dir()
    first.logging.info("said")


def test_the_context_of_the_runtime(tmp_path: Path) -> None:
    given = ExecutionParameters(
        ExecutionId("p", "d", "n"), datetime(2026, 1, 1, tzinfo=UTC), directory=str(tmp_path), raw_data="s3://b/raw"
    )
    with use_context(given):
        assert current_context() is given
        assert (current_context().working_directory, current_context().raw_output_prefix) == (str(tmp_path), "s3://b/raw")
    assert current_context().execution_id.name == "local"


@pytest.mark.parametrize("name", ["checkpoint", "decks", "stats"])
def test_unsupported_parts_of_the_context(name: str) -> None:
    part = getattr(current_context(), name)
    for use in (lambda: part.read(), lambda: part(), lambda: bool(part), lambda: list(part)):
        with pytest.raises(NotSupported, match=name):
            use()


def test_texts_of_unsupported_parts_of_the_context() -> None:
    check_golden("context", {name: unlocated(getattr(current_context(), name)) for name in ("checkpoint", "decks", "stats")})


def test_secrets_are_read_from_variables_and_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secrets = current_context().secrets
    with pytest.raises(ValueError, match=r"password.*db"):
        secrets.get("db", "password")
    with pytest.raises(ValueError, match=r"password.*db"):
        _ = secrets.db.password
    with monkeypatch.context() as local:
        local.setenv("DB_PASSWORD", "without a prefix")
        assert secrets.db.password == "without a prefix"
        with use_context(ExecutionParameters(task_id=TaskId("p", "d", "n", "v1"))), pytest.raises(ValueError, match="password"):
            _ = current_context().secrets.db.password
    (tmp_path / "db").mkdir()
    (tmp_path / "db" / "password").write_text("from a file\n")
    monkeypatch.setenv("FLYTEMP_SECRETS_DEFAULT_DIR", str(tmp_path))
    assert secrets.get("db", "password") == secrets.get("DB", "Password") == "from a file"
    assert secrets.get("db", "password", encode_mode="rb") == b"from a file\n"
    monkeypatch.setenv("_FSEC_DB_PASSWORD", "from a variable")
    assert secrets.get("db", "password") == secrets.db.password == "from a variable"
    monkeypatch.setenv("_FSEC_DB_V2_PASSWORD", "versioned")
    assert secrets.get("db", "password", group_version="v2") == "versioned"
