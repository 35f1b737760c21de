"""Conditions of branches, evaluated on literals.

::

    ["cmp", operator, left, right, type]     left and right are bindings
    ["and", [condition…]]    ["or", [condition…]]
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from flytemp.literals.compare import compare
from flytemp.spec.bindings import Binding
from flytemp_worker.engine.plan import Condition

Read = Callable[[Binding], Any]
"""Gives the literal of a binding."""


def operands(condition: Condition | None) -> Iterator[Binding]:
    """Every binding that the condition may need."""
    if condition is None:
        return
    if condition[0] == "cmp":
        yield condition[2]
        yield condition[3]
        return
    for term in condition[1]:
        yield from operands(term)


def holds(condition: Condition | None, read: Read) -> bool:
    """Whether the condition holds; terms after one that decides are not read.

    Raises:
        InputError: a value does not exist, or the two do not compare.
    """
    if condition is None:
        return True
    if condition[0] == "and":
        return all(holds(term, read) for term in condition[1])
    if condition[0] == "or":
        return any(holds(term, read) for term in condition[1])
    _, sign, left, right, kind = condition
    return compare(sign, read(left), read(right), kind)
