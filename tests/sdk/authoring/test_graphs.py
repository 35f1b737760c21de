"""Graphs of workflows: nodes, bindings and order."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, NamedTuple

import pytest

from flytemp import Resources, WorkflowFailurePolicy, create_node, task, workflow
from flytemp.authoring.context import FlyteContextManager
from flytemp.authoring.promise import Promise
from flytemp.core.options import Options
from flytemp.spec.models import InputBinding, ListBinding, LiteralBinding, MapBinding, OutputBinding
from tests.messages.golden import check_golden, unlocated


class Colour(Enum):
    RED = "red"


@dataclass
class Inner:
    values: list[int]


@dataclass
class Outer:
    inner: Inner
    by_name: dict[str, Inner]


class One(NamedTuple):
    only: int


@task
def outer() -> Outer:
    return Outer(Inner([1, 2]), {"a b": Inner([3])})


@task
def total(values: list[int]) -> int:
    return sum(values)


@task
def names(values: dict[str, int]) -> list[str]:
    return sorted(values)


@task
def numbered(values: dict[int, float]) -> float:
    return sum(values.values())


@task
def couple(values: tuple[int, str]) -> str:
    return values[1] * values[0]


@task
def maybe(values: list[int] | None = None, other: int | str = 1) -> int:
    return len(values or [])


@task
def wide(x: float) -> float:
    return x


@task
def colour(c: Colour) -> str:
    return c.value


@task
def one() -> One:
    return One(1)


@task
def nothing() -> None:
    return None


def inputs_of(wf: Any, node: int = 0) -> dict[str, Any]:
    return dict(wf.spec().nodes[node].inputs)


def test_paths_into_promises() -> None:
    @workflow
    def wf(xs: list[list[int]]) -> tuple[int, int, int]:
        made = outer()
        first = total(values=made.inner.values)
        second = total(values=made.by_name["a b"].values)
        third = total(values=xs[1])
        return first, second, third

    assert inputs_of(wf, 1) == {"values": OutputBinding(node="n0", var="o0", path=("inner", "values"))}
    assert inputs_of(wf, 2) == {"values": OutputBinding(node="n0", var="o0", path=("by_name", "a b", "values"))}
    assert inputs_of(wf, 3) == {"values": InputBinding(var="xs", path=(1,))}
    assert wf(xs=[[], [4]]) == (3, 3, 4)


def test_promises_in_lists_dicts_and_tuples() -> None:
    @workflow
    def wf(x: int) -> str:
        made = total(values=[x, 2, x])
        listed = names(values={"a": made, "b": 1})
        summed = numbered(values={1: wide(x=1.5), 2: 2.0})
        maybe(values=[x])
        wide(x=summed)
        return couple(values=(made, listed[0]))

    assert inputs_of(wf, 0) == {
        "values": ListBinding(items=(InputBinding(var="x"), LiteralBinding(value=2), InputBinding(var="x")))
    }
    assert inputs_of(wf, 1) == {
        "values": MapBinding(entries={"a": OutputBinding(node="n0", var="o0"), "b": LiteralBinding(value=1)})
    }
    assert inputs_of(wf, 3) == {
        "values": MapBinding(entries={"1": OutputBinding(node="n2", var="o0"), "2": LiteralBinding(value=2.0)})
    }
    assert inputs_of(wf, 4) == {"values": ListBinding(items=(InputBinding(var="x"),)), "other": LiteralBinding(value=1)}
    assert wf(x=1) == "aaaa"


def test_defaults_of_tasks_are_bound_where_they_are_used() -> None:
    @workflow
    def wf() -> int:
        return maybe()

    assert inputs_of(wf) == {"values": LiteralBinding(value=None), "other": LiteralBinding(value=1)}


def test_types_that_can_be_cast() -> None:
    @workflow
    def wf(x: int, s: str, c: Colour) -> str:
        wide(x=x)
        maybe(other=s)
        maybe(other=x, values=None)
        couple(values=(1, c))  # type: ignore[arg-type]
        return colour(c=s)  # type: ignore[arg-type]

    assert wf(x=1, s="red", c=Colour.RED) == "red"
    with pytest.raises(ValueError, match="blue"):
        wf(x=1, s="blue", c=Colour.RED)


def test_outputs_can_be_used_by_name() -> None:
    @workflow
    def wf() -> One:
        node = create_node(one)
        assert node.outputs["only"] is node.only
        assert one().only is not None
        (only,) = one()
        return One(only=only)

    assert wf.spec().outputs == {"only": OutputBinding(node="n2", var="only")}
    assert wf() == One(1)


def test_constants_as_outputs() -> None:
    @workflow
    def wf() -> tuple[int, list[int], str | None]:
        return 3, [total(values=[1]), 2], None

    assert wf() == (3, [1, 2], None)


def test_a_workflow_without_nodes() -> None:
    @workflow
    def echo(x: int) -> int:
        return x

    assert echo.spec().outputs == {"o0": InputBinding(var="x")}
    assert echo(x=4) == 4


def test_order_without_data() -> None:
    @workflow
    def wf(x: int) -> int:
        a = nothing()
        b = total(values=[x])
        c = create_node(nothing)
        d, e = one(), nothing()
        a >> b >> c  # type: ignore[operator]
        d.runs_before(e)  # type: ignore[attr-defined]
        a >> b  # type: ignore[operator]
        return b

    assert [(node.id, node.after) for node in wf.spec().nodes] == [
        ("n0", ()),
        ("n1", ("n0",)),
        ("n2", ("n1",)),
        ("n3", ()),
        ("n4", ("n3",)),
    ]


def test_settings_of_the_workflow() -> None:
    @workflow(
        failure_policy=WorkflowFailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE,
        interruptible=True,
        default_options=Options(labels={"a": "b"}),
    )
    def wf() -> None:
        """Do nothing.

        At length.
        """

    spec = wf.spec()
    assert (spec.failure_policy, spec.interruptible) == ("fail-after-executable-nodes-complete", True)
    assert (spec.labels, spec.annotations, spec.docs.short, spec.docs.long) == ({"a": "b"}, {}, "Do nothing.", "At length.")


def test_the_compilation_state_exists_only_while_compiling() -> None:
    seen: list[Any] = []

    @workflow
    def wf() -> int:
        state = FlyteContextManager.current_context().compilation_state
        assert state is not None
        result = total(values=[1])
        seen.append([node.id for node in state.nodes])
        return result

    wf()
    assert seen == [["n0"]]
    assert FlyteContextManager.current_context().compilation_state is None


def test_a_promise_has_a_readable_repr() -> None:
    shown: list[str] = []

    @workflow
    def wf(x: int) -> int:
        result = total(values=[x])
        shown.extend([repr(result), repr(nothing()), repr(create_node(one)), repr(x)])
        assert isinstance(result, Promise)
        assert hash(result)
        assert not hasattr(result, "__array__")
        return result

    wf.graph()
    assert "the output 'o0' of node n0" in shown[0]
    assert all("n1" in text or "n2" in text or "input 'x'" in text for text in shown[1:])


def test_mistakes_in_graphs() -> None:
    @workflow
    def positional() -> None:
        create_node(total, [1])

    @workflow
    def chained() -> None:
        nothing() >> one  # type: ignore[operator]

    cases = {
        "create_node outside of a workflow": unlocated(lambda: create_node(nothing)),
        "positional arguments of create_node": unlocated(positional, AssertionError),
        "a chain of tasks": unlocated(lambda: nothing >> one),
        "a call and a task": unlocated(chained, TypeError),
        "text as failure_policy": unlocated(lambda: workflow(failure_policy="fail"), ValueError),  # type: ignore[call-overload]
    }
    check_golden("graphs", cases)


def test_annotated_inputs() -> None:
    @task
    def annotated(x: Annotated[list[int], "any note"]) -> Annotated[int, "another"]:
        return sum(x)

    @workflow
    def wf(y: int) -> int:
        return annotated(x=[y, 1])

    assert wf(y=2) == 3


def test_a_thousand_nodes_in_reverse_order() -> None:
    @workflow
    def wf() -> None:
        calls = [create_node(nothing) for _ in range(1000)]
        for first, second in itertools.pairwise(calls):
            second >> first

    ordered = wf.graph().ordered()
    assert [node.id for node in ordered] == [f"n{index}" for index in reversed(range(1000))]


def test_node_names_become_ids() -> None:
    @workflow
    def wf() -> None:
        nothing().with_overrides(node_name="My Node_1!")  # type: ignore[attr-defined]
        nothing().with_overrides(name="Shown", requests=Resources(cpu=1))  # type: ignore[attr-defined]

    assert [(node.id, node.overrides.name) for node in wf.spec().nodes] == [("my-node-1", None), ("n1", "Shown")]
