"""Evaluation of the conditions of branches, which are ``["cmp", operator, left, right, type]`` with bindings left and right,
``["and", [condition…]]`` or ``["or", [condition…]]``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from flytemp.literals.compare import compare
from flytemp.spec.bindings import Binding
from flytemp_worker.engine.plan import Condition

Read = Callable[[Binding], Any]
"""Return the literal of a binding."""


def operands(condition: Condition | None) -> Iterator[Binding]:
    """Yield every binding that the condition may need."""
    if condition is None:
        return
    if condition[0] == "cmp":
        yield condition[2]
        yield condition[3]
        return
    for term in condition[1]:
        yield from operands(term)


def holds(condition: Condition | None, read: Read) -> bool:
    """Return True if the condition holds; terms after one that decides are not read.

    Raises:
        InputError: a value does not exist, or the two cannot be compared.
    """
    if condition is None:
        return True
    if condition[0] == "and":
        return all(holds(term, read) for term in condition[1])
    if condition[0] == "or":
        return any(holds(term, read) for term in condition[1])
    _, operator, left, right, kind = condition
    return compare(operator, read(left), read(right), kind)
