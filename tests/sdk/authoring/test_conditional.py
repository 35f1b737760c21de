"""`conditional`: expressions, cases, and errors."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

import pytest

from flytemp import conditional, create_node, task, workflow
from flytemp.authoring.errors import ConditionError
from flytemp.errors import InputError, TypeMismatch
from flytemp.exceptions.user import FlyteMissingReturnValueException
from flytemp.literals.compare import compare
from flytemp.spec.models import BranchSpec, Comparison, InputBinding, Junction, LiteralBinding, OutputBinding
from tests.messages.golden import Case, check_golden, unlocated


class Colour(Enum):
    RED = "red"


@task
def number(x: int = 1) -> int:
    return x


@task
def real(x: float) -> float:
    return x


@task
def text(a: str = "a") -> str:
    return a


@task
def pair(x: int) -> tuple[int, str]:
    return x, str(x)


@task
def nothing() -> None:
    pass


@task
def maybe(x: int) -> int | None:
    return x or None


def branch_of(flow: Any) -> BranchSpec:
    spec = flow.spec().nodes[-1].branch
    assert spec is not None
    return spec


def test_comparisons_are_stored_in_the_spec() -> None:
    @workflow
    def wf(x: int, y: float, at: datetime, long: timedelta, colour: Colour) -> int:
        n = maybe(x=x)
        return (
            conditional("c")
            .if_((x > 1) & (y >= 5) & (x != y))
            .then(number(x=1))
            .elif_((at < datetime(2026, 1, 1, tzinfo=UTC)) | (long >= timedelta(hours=1)))
            .then(number(x=2))
            .elif_((colour == Colour.RED) | n.is_none())  # type: ignore[union-attr]
            .then(number(x=3))
            .else_()
            .fail("no")
        )

    first, second, third, last = branch_of(wf).cases
    assert first.condition == Junction(
        kind="and",
        terms=(
            Comparison(operator=">", left=InputBinding(var="x"), right=LiteralBinding(value=1), type="integer"),
            Comparison(operator=">=", left=InputBinding(var="y"), right=LiteralBinding(value=5), type="float"),
            Comparison(operator="!=", left=InputBinding(var="x"), right=InputBinding(var="y"), type="float"),
        ),
    )
    assert isinstance(second.condition, Junction)
    assert [term.type for term in second.condition.terms if isinstance(term, Comparison)] == ["datetime", "duration"]
    assert isinstance(third.condition, Junction)
    assert third.condition.terms == (
        Comparison(operator="==", left=InputBinding(var="colour"), right=LiteralBinding(value="red"), type="string"),
        Comparison(operator="==", left=OutputBinding(node="n0", var="o0"), right=LiteralBinding(value=None), type="none"),
    )
    assert (last.condition, last.node, last.fail) == (None, None, "no")
    assert [case.node.id for case in (first, second, third) if case.node] == ["n0", "n1", "n2"]
    assert [node.id for node in wf.spec().nodes] == ["n0", "n1"], "the calls of cases are not nodes of the workflow"
    assert wf.spec().outputs == {"o0": OutputBinding(node="n1", var="o0")}


def test_only_the_taken_case_runs() -> None:
    ran: list[int] = []

    @task
    def noted(x: int) -> int:
        ran.append(x)
        return x

    @workflow
    def wf(x: int) -> int:
        return conditional("c").if_(x < 5).then(noted(x=1)).elif_(x < 8).then(noted(x=2)).else_().fail("too large")

    assert (wf(x=4), wf(x=7), ran) == (1, 2, [1, 2])
    with pytest.raises(ValueError, match=r"^too large$"):
        wf(x=8)
    assert ran == [1, 2]


def test_outputs_are_those_that_all_cases_share() -> None:
    @workflow
    def wf(x: int) -> int:
        result = conditional("c").if_(x > 1).then(pair(x=x)).else_().then(number(x=x))
        return number(x=result)

    @workflow
    def widened(x: int) -> float:
        return conditional("c").if_(x > 1).then(number(x=x)).else_().then(real(x=0.5))

    @workflow
    def none_in_common(x: int) -> int:
        return conditional("c").if_(x > 1).then(text()).else_().then(number(x=x))

    assert [variable.name for variable in branch_of_first(wf).outputs] == ["o0"]
    assert (wf(x=3), wf(x=0)) == (3, 0)
    assert branch_of(widened).outputs[0].type.kind == "float"
    assert (widened(x=2), widened(x=1)) == (2.0, 0.5)
    with pytest.raises(FlyteMissingReturnValueException) as raised:
        none_in_common.spec()
    assert "an output of the same name and type" in str(raised.value.hint)


def branch_of_first(flow: Any) -> BranchSpec:
    spec = flow.spec().nodes[0].branch
    assert spec is not None
    return spec


def test_a_conditional_can_be_ordered_and_named() -> None:
    @workflow
    def wf(x: int) -> None:
        before = nothing()
        decided = conditional("c").if_(x > 1).then(create_node(nothing)).else_().then(nothing().with_overrides(node_name="other"))
        before >> decided.with_overrides(node_name="decided") >> nothing()  # type: ignore[attr-defined]

    _, decided, last = wf.spec().nodes
    assert (decided.id, decided.after, last.after) == ("decided", ("n0",), ("decided",))
    assert decided.overrides.name == "c"
    assert decided.branch is not None
    assert [case.node.id for case in decided.branch.cases if case.node] == ["n0", "other"]


def deciding_by(condition: Callable[[Any, Any], Any]) -> Case:
    """Return the case of a workflow with a conditional whose condition is ``condition(x, s)``."""

    def compiled() -> object:
        @workflow
        def wf(x: int, s: str) -> int:
            return conditional("c").if_(condition(x, s)).then(number()).else_().then(number())

        return wf.spec()

    return unlocated(compiled)


def test_invalid_conditions_are_refused() -> None:
    conditions: dict[str, Callable[[Any, Any], Any]] = {
        "a promise": lambda x, s: x,
        "None": lambda x, s: None,
        "is True": lambda x, s: x is True,
        "a text": lambda x, s: "x",
        "& True": lambda x, s: (x > 1) & True,
        "and": lambda x, s: (x > 1) and (x < 3),
        "or": lambda x, s: (x > 1) or (x < 3),
        "not": lambda x, s: not (x > 1),
        "a chained comparison": lambda x, s: 1 < x < 3,
        "an inverted comparison": lambda x, s: ~(x > 1),
        "an integer and a text": lambda x, s: x == "a",
        "promises of different types": lambda x, s: x == s,
        "an order with None": lambda x, s: x < None,
        "a list": lambda x, s: x == [1],
    }
    check_golden("conditions", {name: deciding_by(condition) for name, condition in conditions.items()})


def test_a_conditional_without_else_is_refused() -> None:
    @workflow
    def wf(x: int) -> int:
        return conditional("c").if_(x > 1).then(number()).elif_(x > 2).then(number())  # type: ignore[no-any-return]

    @workflow
    def forgotten(x: int) -> int:
        conditional("c").if_(x > 1).then(number())
        return number()

    for flow in (wf, forgotten):
        with pytest.raises(ConditionError):
            flow(x=1)


def test_cases_must_be_single_calls_in_order() -> None:
    builds: dict[str, Callable[[Any], Any]] = {
        "two calls": lambda x: conditional("c").if_(x > 1).then(number(x=number(x=x))).else_().then(number()),
        "an input": lambda x: conditional("c").if_(x > 1).then(x).else_().then(number()),
        "a constant": lambda x: conditional("c").if_(x > 1).then(3).else_().then(number()),
        "elif_ first": lambda x: conditional("c").elif_(x > 1),
        "else_ first": lambda x: conditional("c").else_(),
        "if_ twice": lambda x: conditional("c").if_(x > 1).then(number()).if_(x > 2),
        "a call before the case": _made_before,
        "a case used outside": _used_outside,
        "no else_": lambda x: conditional("c").if_(x > 1).then(number()),
    }

    def built(build: Callable[[Any], Any]) -> Case:
        @workflow
        def wf(x: int) -> int:
            return build(x)  # type: ignore[no-any-return]

        return unlocated(wf.spec)

    cases = {name: built(build) for name, build in builds.items()}
    cases |= {
        "outside of a workflow": unlocated(lambda: conditional("c"), AssertionError),
        "values of different types": unlocated(lambda: compare("<", "x", 1, "integer"), TypeMismatch),
    }
    check_golden("conditional-cases", cases)


def _made_before(x: Any) -> Any:
    before = number(x=x)
    return conditional("c").if_(x > 1).then(before).else_().then(number())


def _used_outside(x: Any) -> Any:
    conditional("c").if_(x > 1).then(inner := number(x=x)).else_().then(number())
    return number(x=inner)


def test_calls_in_a_condition_run_before_the_conditional() -> None:
    @workflow
    def wf(x: int) -> int:
        return conditional("c").if_(number(x=x) > 5).then(number(x=5)).elif_(number(x=x) > 3).then(number(x=3)).else_().fail("")

    assert [(node.id, node.kind) for node in wf.spec().nodes] == [("n0", "task"), ("n1", "task"), ("n2", "branch")]
    assert (wf(x=9), wf(x=4)) == (5, 3)


@pytest.mark.parametrize(
    ("operator", "left", "right", "kind", "result"),
    [
        ("<", 1, 2.5, "float", True),
        ("==", "NaN", "NaN", "float", False),
        ("<", 5, "Infinity", "float", True),
        (">=", "2026-01-01T00:00:00.5Z", "2026-01-01T00:00:00Z", "datetime", True),
        ("<", "PT90S", "PT1H", "duration", True),
        ("<", "2025-12-31", "2026-01-01", "date", True),
        ("==", None, 1, "integer", False),
        ("!=", None, None, "none", False),
        ("==", True, 1, "any", False),
        ("<", "a", "b", "any", True),
    ],
)
def test_values_are_compared_by_their_types(operator: str, left: Any, right: Any, kind: str, result: bool) -> None:
    assert compare(operator, left, right, kind) is result


@pytest.mark.parametrize(("left", "right", "kind"), [(None, 1, "integer"), (True, False, "boolean"), ([1], [2], "any")])
def test_values_without_an_order_are_not_less(left: Any, right: Any, kind: str) -> None:
    with pytest.raises(InputError):
        compare("<", left, right, kind)
