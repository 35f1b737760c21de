"""`@dynamic`: tasks that build graphs at run time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flytemp import FlyteFile, LaunchPlan, dynamic, task, workflow
from flytemp.authoring.errors import PromiseMisuse
from flytemp.compiler import compile_entity
from flytemp.errors import ProgramError
from flytemp.literals.transfer import RawDataTransfer
from flytemp.runtime.dynamic import generate
from flytemp.spec.models import LiteralBinding, OutputBinding
from tests.messages.golden import check_golden, unlocated


@task
def add(a: int, b: int) -> int:
    return a + b


@workflow
def added(a: int) -> int:
    return add(a=a, b=1)


@task
def size(file: FlyteFile) -> int:
    return len(Path(file).read_text())


@dynamic(retries=2)
def fib(n: int) -> int:
    """Return a Fibonacci number."""
    if n < 2:
        return n
    return add(a=fib(n=n - 1), b=fib(n=n - 2))


@dynamic
def many(n: int) -> tuple[list[int], str]:
    values = [added(a=index) for index in range(n)]
    plan = LaunchPlan.get_or_create(added, "dynamic_added")
    return [*values, 7, plan(a=n)], f"{n} values"  # type: ignore[list-item]


def test_a_dynamic_task_has_its_own_kind() -> None:
    @workflow
    def wf(n: int) -> int:
        return fib(n=n).with_overrides(retries=5, node_name="numbers")  # type: ignore[attr-defined, no-any-return]

    document = compile_entity(wf)
    (node,) = document.root.nodes
    assert (node.kind, node.target, node.id) == ("dynamic", fib.name, "numbers")
    assert (document.tasks[fib.name].kind, document.tasks[fib.name].settings.retries.count) == ("dynamic", 2)
    assert document.tasks[fib.name].docs.short == "Return a Fibonacci number."
    assert list(document.tasks) == [fib.name], "the calls are known at run time only"


def test_a_plain_call_runs_the_graph() -> None:
    assert fib(n=6) == 8
    assert many(n=2) == ([1, 2, 7, 3], "2 values")
    assert many(n=0) == ([7, 1], "0 values")


def test_the_graph_is_a_document() -> None:
    document = generate(fib, {"n": 3}, None)
    assert document.name == fib.name
    assert document.root.interface.inputs == ()
    assert document.root.interface.outputs == fib.interface.outputs
    assert [(node.id, node.kind, node.target) for node in document.root.nodes] == [
        ("n0", "dynamic", fib.name),
        ("n1", "dynamic", fib.name),
        ("n2", "task", add.name),
    ]
    assert document.root.nodes[0].inputs == {"n": LiteralBinding(value=2)}
    assert document.root.outputs == {"o0": OutputBinding(node="n2", var="o0")}
    assert set(document.tasks) == {fib.name, add.name}


def test_a_graph_can_be_empty() -> None:
    document = generate(fib, {"n": 1}, None)
    assert document.root.nodes == ()
    assert document.root.outputs == {"o0": LiteralBinding(value=1)}


def test_the_document_has_sub_workflows_and_launch_plans() -> None:
    document = generate(many, {"n": 1}, None)
    assert set(document.workflows) == {many.name, added.name}
    assert list(document.launch_plans) == ["dynamic_added"]
    assert document.root.outputs["o1"] == LiteralBinding(value="1 values")


def test_local_files_are_uploaded(tmp_path: Path) -> None:
    @dynamic
    def sizes(text: str) -> int:
        path = tmp_path / "text.txt"
        path.write_text(text)
        return size(file=FlyteFile(str(path)))

    document = generate(sizes, {"text": "abc"}, RawDataTransfer((tmp_path / "store").as_uri(), tmp_path))
    (node,) = document.root.nodes
    given = node.inputs["file"]
    assert isinstance(given, LiteralBinding)
    assert given.value["uri"].startswith((tmp_path / "store").as_uri())
    assert sizes(text="abcd") == 4


def test_problems_of_the_graph_are_reported_together() -> None:
    @dynamic
    def wrong(n: int) -> int:
        add(a="x", b=1)  # type: ignore[arg-type]
        return add(a=n, b="y")  # type: ignore[arg-type]

    for call in (lambda: generate(wrong, {"n": 1}, None), lambda: wrong(n=1)):
        with pytest.raises(ProgramError) as raised:
            call()
        assert len(raised.value.problems) == 2


def test_results_of_calls_have_no_values() -> None:
    @dynamic
    def uses(n: int) -> int:
        return n if add(a=n, b=1) > 2 else 0

    with pytest.raises(PromiseMisuse):
        uses(n=1)


def test_exceptions_of_the_function_are_raised() -> None:
    @dynamic
    def fails(n: int) -> int:
        raise KeyError(n)

    for call in (lambda: generate(fails, {"n": 1}, None), lambda: fails(n=1)):
        with pytest.raises(KeyError):
            call()


def test_invalid_definitions_are_refused() -> None:
    async def later(n: int) -> int:
        return n

    options: Any = {"foo": 1}
    calls: dict[str, Callable[[], object]] = {
        "a number as a hint": lambda: dynamic(node_dependency_hints=[3]),
        "hints of a task": lambda: task(node_dependency_hints=[added]),
        "an async function": lambda: dynamic(later),
        "unknown option": lambda: dynamic(**options),
    }
    check_golden("dynamic", {name: unlocated(call) for name, call in calls.items()})
