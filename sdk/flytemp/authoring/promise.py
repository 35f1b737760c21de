"""Values that do not exist yet: what a workflow's function handles instead of results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from flytemp.authoring.definition_site import caller_site
from flytemp.authoring.errors import NoSuchField, PromiseMisuse
from flytemp.errors import FlytempError, TypeMismatch
from flytemp.literals.describe import describe_type
from flytemp.literals.typepaths import type_at
from flytemp.literals.types import LiteralType

if TYPE_CHECKING:
    from flytemp.authoring.compilation import Compilation
    from flytemp.authoring.expressions import ComparisonExpression, Operator
    from flytemp.authoring.node import Node

_Chained = TypeVar("_Chained")
_OWN = frozenset({"_compilation", "_node", "_path", "_type", "_variable"})
_IN_A_TASK = "a workflow only connects tasks; compute with the value inside a task"
_PRINTED = "Promise("


def refuse_printed(value: object) -> None:
    """Refuse a text that a promise was printed into: as a value, it would be wrong without anybody noticing.

    Raises:
        TypeMismatch: ``value`` is such a text.
    """
    if isinstance(value, str) and (f"{_PRINTED}the output '" in value or f"{_PRINTED}the input '" in value):
        raise TypeMismatch(f"the text holds a promise, not its value: {value[:200]!r}", hint=_IN_A_TASK)


class Chainable:
    """Something that stands for a node: ``a >> b``, ``a.runs_before(b)``, ``a.with_overrides(…)``."""

    def _chained_node(self) -> Node:
        raise NotImplementedError

    def runs_before(self, other: Chainable) -> None:
        """Start ``other`` only when this has succeeded, without passing data."""
        if not isinstance(other, Chainable):
            raise PromiseMisuse(
                f"{self!r} cannot run before {other!r}, which is no call of a task or workflow",
                hint="chain calls: first() >> second()",
                location=caller_site().location,
            )
        other._chained_node().wait_for(self._chained_node())

    def __rshift__(self, other: _Chained) -> _Chained:
        self.runs_before(other)  # type: ignore[arg-type]
        return other

    def with_overrides(self: _Chained, *args: Any, **overrides: Any) -> _Chained:
        """Replace settings of this call alone; see `flytemp.authoring.overrides.override`."""
        self._chained_node().override(args, overrides)  # type: ignore[attr-defined]
        return self


def _refuse(use: str) -> Any:
    def method(self: Promise, *_: object, **__: object) -> NoReturn:
        self._misused(use)

    return method


def _compare(operator: Operator) -> Callable[[Promise, object], ComparisonExpression]:
    def method(self: Promise, other: object) -> ComparisonExpression:
        from flytemp.authoring.expressions import comparison

        return comparison(operator, self, other)

    return method


class Promise(Chainable):
    """A future output of a node, or a future input of the workflow.

    Fields, list items and map values of it are promises as well: ``p.field``, ``p[0]``, ``p["key"]``. Comparing it
    gives an expression for a `conditional`: ``p > 3``, ``p == other``, ``p.is_true()``.
    """

    def __init__(
        self,
        compilation: Compilation,
        node: Node | None,
        variable: str,
        type_: LiteralType,
        path: tuple[str | int, ...] = (),
    ) -> None:
        self._compilation, self._node, self._variable, self._type, self._path = compilation, node, variable, type_, path

    def __repr__(self) -> str:
        return f"{_PRINTED}{self._described()}: {describe_type(self._type)})"

    def __format__(self, spec: str) -> str:
        if spec:
            self._misused("to format it as a number")
        return repr(self)  # to look at: `refuse_printed` stops it from becoming a value

    def _described(self) -> str:
        if self._node is None:
            source = f"the input '{self._variable}' of {self._compilation.owner}"
        else:
            source = f"the output '{self._variable}' of {self._node}"
        return source + "".join(f".{step}" if isinstance(step, str) else f"[{step}]" for step in self._path)

    def _misused(self, use: str, hint: str = _IN_A_TASK) -> NoReturn:
        raise PromiseMisuse(
            f"{self._described()} has no value while {self._compilation.owner} is being put together: {use} is not possible",
            hint=hint,
            location=caller_site().location,
        )

    def _chained_node(self) -> Node:
        if self._node is None:
            self._misused("to order it or override its settings")
        return self._node

    def _step(self, step: str | int) -> Promise:
        try:
            type_ = type_at(self._type, (step,))
        except FlytempError as error:
            raise NoSuchField(
                f"{self._described()} is {describe_type(self._type)}: {error.message}",
                hint=error.hint,
                location=caller_site().location,
            ) from error
        return Promise(self._compilation, self._node, self._variable, type_, (*self._path, step))

    def __getattr__(self, name: str) -> Promise:
        if name.startswith("__") or name in _OWN:
            raise AttributeError(name)
        return self._step(name)

    def __getitem__(self, step: str | int) -> Promise:
        if isinstance(step, bool) or not isinstance(step, str | int):
            self._misused(f"to look up {step!r} in it")
        return self._step(step)

    def is_true(self) -> ComparisonExpression:
        """Whether it is True, for a `conditional`."""
        return _compare("==")(self, True)

    def is_false(self) -> ComparisonExpression:
        """Whether it is False, for a `conditional`."""
        return _compare("==")(self, False)

    def is_none(self) -> ComparisonExpression:
        """Whether it is None, for a `conditional`."""
        return _compare("==")(self, None)

    def is_(self, value: object) -> ComparisonExpression:
        """Whether it is ``value``, for a `conditional`; ``is_(True)`` is `is_true`."""
        return _compare("==")(self, value)

    __hash__ = object.__hash__
    __lt__, __le__, __gt__, __ge__ = _compare("<"), _compare("<="), _compare(">"), _compare(">=")
    __eq__, __ne__ = _compare("=="), _compare("!=")  # type: ignore[assignment]  # not bool: the value is not known yet

    def __bool__(self) -> NoReturn:  # noqa: PLE0304 - it always raises
        self._misused("to use it as a condition", "decide with conditional('…').if_(value.is_true()).then(…), or inside a task")

    __iter__ = _refuse("to iterate over it")
    __len__ = _refuse("to take its length")
    __contains__ = _refuse("to look for something in it")
    __int__ = __float__ = __complex__ = __index__ = __round__ = _refuse("to use it as a number")
    __bytes__ = _refuse("to turn it into bytes")
    __setitem__ = __delitem__ = _refuse("to change it")
    __neg__ = __pos__ = __abs__ = __invert__ = _refuse("to calculate with it")
    __add__ = __sub__ = __mul__ = __truediv__ = __floordiv__ = __mod__ = __pow__ = _refuse("to calculate with it")
    __radd__ = __rsub__ = __rmul__ = __rtruediv__ = __rfloordiv__ = __rmod__ = __rpow__ = _refuse("to calculate with it")
    __and__ = __or__ = __xor__ = __rand__ = __ror__ = __rxor__ = _refuse("to combine it")
    __matmul__ = __rmatmul__ = __lshift__ = __divmod__ = _refuse("to calculate with it")


class OutputTuple(tuple[Promise, ...], Chainable):
    """Several outputs of one node: unpack them, or take them by name."""

    _node: Node

    @classmethod
    def of(cls, node: Node, promises: Sequence[Promise]) -> OutputTuple:
        outputs = cls(promises)
        outputs._node = node
        return outputs

    def _chained_node(self) -> Node:
        return self._node

    def __getattribute__(self, name: str) -> Any:
        # An output goes before a method of tuples: outputs named count and index are common.
        if not name.startswith("_") and name in self._node.outputs:
            return self._node.outputs[name]
        return super().__getattribute__(name)

    def __getattr__(self, name: str) -> Promise:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._node.output(name)

    def __repr__(self) -> str:
        return f"OutputTuple({', '.join(map(repr, self))})"


class VoidOutput(Chainable):
    """The result of a call that returns nothing: it can be ordered, and that is all."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def _chained_node(self) -> Node:
        return self._node

    def __repr__(self) -> str:
        return f"VoidOutput({self._node})"

    def __bool__(self) -> NoReturn:  # noqa: PLE0304 - it always raises
        self.misused("to use it as a condition")

    def __iter__(self) -> NoReturn:
        self.misused("to iterate over it")

    @property
    def remedy(self) -> str:
        """What to do about it, if a value was wanted."""
        if self._node.callee.noun == "conditional":
            return "give the calls of all its cases an output of the same name and type"
        return "declare what it returns: def …() -> int"

    def misused(self, use: str) -> NoReturn:
        """Refuse to use what is not there as a value."""
        raise PromiseMisuse(
            f"{self._node} returns nothing: {use} is not possible",
            hint=self.remedy,
            location=caller_site().location,
        )
