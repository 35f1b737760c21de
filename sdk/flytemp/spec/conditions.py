"""Conditions of branches: their comparisons, and the rules that they keep."""

from __future__ import annotations

from collections.abc import Iterator

from flytemp.errors import Problem
from flytemp.literals.compare import ORDERED
from flytemp.spec.models import Binding, BranchCase, Comparison, Condition

_ORDERED = ORDERED | {"any"}  # texts have an order among themselves, and so have numbers


def comparisons(condition: Condition) -> Iterator[Comparison]:
    """Yield the comparisons of a condition, at any depth."""
    if isinstance(condition, Comparison):
        yield condition
    else:
        for term in condition.terms:
            yield from comparisons(term)


def operands(condition: Condition) -> Iterator[Binding]:
    """Yield both sides of each comparison of a condition."""
    for comparison in comparisons(condition):
        yield comparison.left
        yield comparison.right


def case_problems(case: BranchCase, number: int, *, is_last: bool) -> Iterator[Problem]:
    """Yield the problems of a branch's case, apart from its node and types. ``number`` is the case's number."""
    if (case.node is None) == (case.fail is None):
        yield Problem(f"needs either a node or the message of a failure in case {number}")
    if case.condition is None and not is_last:
        yield Problem(f"has no condition in case {number}: the cases after it are never reached")
    if case.condition is not None:
        yield from _condition_problems(case.condition, number)


def _condition_problems(condition: Condition, number: int) -> Iterator[Problem]:
    if isinstance(condition, Comparison):
        if condition.operator not in ("==", "!=") and condition.type not in _ORDERED:
            compared = f"compares values of type {condition.type} with {condition.operator!r}"
            yield Problem(f"{compared} in case {number}; {condition.type} has no order")
        return
    if not condition.terms:
        yield Problem(f"has an empty {condition.kind!r} in case {number}")
    for term in condition.terms:
        yield from _condition_problems(term, number)
