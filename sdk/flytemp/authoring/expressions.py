"""Comparisons of promises, which are the conditions of a `conditional`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeAlias

from flytemp.authoring.binding import Bound, Constant, bind, spec_of
from flytemp.authoring.definition_site import caller_site
from flytemp.authoring.errors import ConditionError, PromiseMisuse
from flytemp.authoring.promise import OutputTuple, Promise, VoidOutput
from flytemp.errors import FlytempError
from flytemp.literals.compare import ORDERED, compare
from flytemp.literals.convert import literal_type
from flytemp.literals.describe import describe_type
from flytemp.literals.types import EnumType, Json, LiteralType, SimpleKind, SimpleType, UnionType
from flytemp.spec.models import Comparison, Condition, Junction

if TYPE_CHECKING:
    from flytemp.authoring.compilation import Compilation

Operator: TypeAlias = Literal["<", "<=", ">", ">=", "==", "!="]
Resolve: TypeAlias = Callable[[Bound], Json]

_OF_CLASS: dict[type, SimpleKind] = {str: "string", bool: "boolean", int: "integer", float: "float"}
_LOGICAL = (
    "Logical (and/or/is/not) operations are not supported. Expressions Comparison (<,<=,>,>=,==,!=) or Conjunction (&/|) "
    "are supported."
)
_USE = "combine comparisons with & and |, each in parentheses: (a > 1) & (b < 2); p.is_true(), p.is_none()"


class Expression:
    """Condition that is evaluated while the workflow runs."""

    def __and__(self, other: object) -> ConjunctionExpression:
        return _junction("and", self, other)

    def __or__(self, other: object) -> ConjunctionExpression:
        return _junction("or", self, other)

    def __bool__(self) -> NoReturn:
        raise PromiseMisuse(
            f"{self!r} has no value before the workflow runs. {_LOGICAL}",
            hint=f"use conditional(…).if_(…) or @dynamic instead of if; {_USE}",
            location=caller_site().location,
        )

    def __invert__(self) -> NoReturn:
        raise PromiseMisuse(
            f"{self!r} cannot be inverted. {_LOGICAL}",
            hint="use the opposite comparison: != instead of ==",
            location=caller_site().location,
        )

    def bounds(self) -> Iterator[Bound]:
        """Yield the operands."""
        raise NotImplementedError

    def holds(self, resolve: Resolve) -> bool:
        """Return the value of the condition. ``resolve`` returns the literal of an operand."""
        raise NotImplementedError

    def spec(self) -> Condition:
        """Return the condition for the spec."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False, repr=False)
class ComparisonExpression(Expression):
    """Comparison ``left operator right`` of two values of the primitive type ``kind``."""

    operator: Operator
    left: Bound
    right: Bound
    kind: SimpleKind

    def __repr__(self) -> str:
        return f"{_described(self.left)} {self.operator} {_described(self.right)}"

    def bounds(self) -> Iterator[Bound]:
        yield from (self.left, self.right)

    def holds(self, resolve: Resolve) -> bool:
        return compare(self.operator, resolve(self.left), resolve(self.right), self.kind)

    def spec(self) -> Comparison:
        return Comparison(operator=self.operator, left=spec_of(self.left), right=spec_of(self.right), type=self.kind)


@dataclass(frozen=True, eq=False, repr=False)
class ConjunctionExpression(Expression):
    """Conjunction ("and") or disjunction ("or") of conditions."""

    kind: Literal["and", "or"]
    terms: tuple[Expression, ...]

    def __repr__(self) -> str:
        return (" & " if self.kind == "and" else " | ").join(f"({term!r})" for term in self.terms)

    def bounds(self) -> Iterator[Bound]:
        for term in self.terms:
            yield from term.bounds()

    def holds(self, resolve: Resolve) -> bool:
        decided = (term.holds(resolve) for term in self.terms)
        return all(decided) if self.kind == "and" else any(decided)

    def spec(self) -> Junction:
        return Junction(kind=self.kind, terms=tuple(term.spec() for term in self.terms))


def checked_expression(given: object, where: str) -> Expression:
    """Return the argument of a conditional if it is an expression.

    Args:
        given: the argument.
        where: the conditional and the method, for messages.

    Raises:
        ConditionError: (an ``AssertionError``) ``given`` is not an expression.
    """
    if isinstance(given, Expression):
        return given
    if given is None:
        message = f"Required an expression received None for condition:{where}(...)"
    elif isinstance(given, bool):
        message = f"{_LOGICAL} Received an evaluated expression with val {given} in {where}"
    elif isinstance(given, Promise | OutputTuple | VoidOutput):
        message = (
            "flytemp does not support unary expressions of the form `if_(x)` - where `x` is an input value or output of a "
            f"previous node. Received var {given!r} in condition {where}"
        )
    else:
        message = (
            f"only Comparison (<,<=,>,>=,==,!=) or Conjunction (&/|) expressions are supported, received {given!r} in {where}"
        )
    raise ConditionError(message, hint=_USE, location=caller_site().location)


def comparison(operator: Operator, left: Promise, right: object) -> ComparisonExpression:
    """Return the comparison of a promise with a promise or a primitive value.

    Raises:
        PromiseMisuse: the operands cannot be compared.
    """
    if isinstance(right, OutputTuple) and len(right) == 1:
        right = right[0]
    other, other_type = _operand(left._compilation, right)
    kind = _common(operator, left._type, other_type)
    if kind is None:
        hint = "use a field or an item of it, or compare inside a task" if _simple(left._type) is None else None
        shown = describe_type(other_type) if isinstance(right, Promise) else repr(right)
        raise PromiseMisuse(
            f"cannot compare {left._described()}, which is {describe_type(left._type)}, with {shown} by {operator}: both sides "
            "must have the same primitive type, and an order for <, <=, > and >=",
            hint=hint,
            location=caller_site().location,
        )
    return ComparisonExpression(operator, left, other, kind)


def _operand(compilation: Compilation, value: object) -> tuple[Bound, LiteralType]:
    annotation: Any = type(value)
    if isinstance(value, Promise):
        return value, value._type
    if value is None or isinstance(value, bool | int | float | str | datetime | date | timedelta | Enum):
        try:
            bound = bind("operand", value, None if value is None else annotation, compilation)
            return bound, literal_type(None if value is None else annotation)
        except FlytempError as error:
            raise PromiseMisuse(
                f"cannot compare with {value!r}: {error.message}", hint=error.hint, location=caller_site().location
            ) from error
    raise PromiseMisuse(
        f"cannot compare with {value!r}: an operand must be a primitive value or the output of a call",
        hint="use bool, int, float, str, datetime, timedelta, the member of an Enum, or None",
        location=caller_site().location,
    )


def _common(operator: Operator, left: LiteralType, right: LiteralType) -> SimpleKind | None:
    """Return the primitive type for the comparison of values of two types, or None if they cannot be compared."""
    one, other = _simple(left), _simple(right)
    if one is None or other is None:
        return "none" if "none" in (one, other) and operator in ("==", "!=") else None
    if one == other or {one, other} == {"integer", "float"}:
        kind: SimpleKind | None = one if one == other else "float"
    elif "none" in (one, other):
        kind = "none"
    elif "any" in (one, other):
        kind = other if one == "any" else one
    else:
        return None
    return kind if operator in ("==", "!=") or kind in ORDERED or kind == "any" else None


def _simple(type_: LiteralType) -> SimpleKind | None:
    """Return the kind of a primitive, an Optional primitive or an Enum's values; None for other types."""
    match type_:
        case UnionType():
            kinds: set[SimpleKind | None] = {_simple(variant) for variant in type_.variants if variant.kind != "none"}
            return kinds.pop() if len(kinds) == 1 else None
        case EnumType():
            classes = {type(value) for value in type_.values}
            return _OF_CLASS[classes.pop()] if len(classes) == 1 else None
        case SimpleType():
            return None if type_.kind == "bytes" else type_.kind
        case _:
            return None


def _junction(kind: Literal["and", "or"], left: Expression, right: object) -> ConjunctionExpression:
    if not isinstance(right, Expression):
        operator = "&" if kind == "and" else "|"
        raise ConditionError(
            f"{left!r} {operator} {right!r}: both sides must be comparisons", hint=_USE, location=caller_site().location
        )
    terms = [
        term
        for side in (left, right)
        for term in (side.terms if isinstance(side, ConjunctionExpression) and side.kind == kind else (side,))
    ]
    return ConjunctionExpression(kind, tuple(terms))


def _described(bound: Bound) -> str:
    if isinstance(bound, Promise):
        return bound._described()
    return repr(bound.literal) if isinstance(bound, Constant) else repr(bound)
