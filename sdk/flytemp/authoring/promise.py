"""Promises: placeholders for values that do not exist before the workflow runs."""

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
    """Check that a text does not contain a printed promise, which would silently be a wrong value.

    Raises:
        TypeMismatch: ``value`` contains a printed promise.
    """
    if isinstance(value, str) and (f"{_PRINTED}the output '" in value or f"{_PRINTED}the input '" in value):
        raise TypeMismatch(f"the text contains a promise instead of its value: {value[:200]!r}", hint=_IN_A_TASK)


class Chainable:
    """Base of objects that represent a node: ``a >> b``, ``a.runs_before(b)``, ``a.with_overrides(…)``."""

    def _chained_node(self) -> Node:
        raise NotImplementedError

    def runs_before(self, other: Chainable) -> None:
        """Let ``other`` start only after this node has succeeded.

        Args:
            other: a node, or the result of a call.

        Raises:
            PromiseMisuse: ``other`` is something else.
        """
        if not isinstance(other, Chainable):
            raise PromiseMisuse(
                f"{self!r} cannot run before {other!r}, which is not a call of a task or workflow",
                hint="chain calls: first() >> second()",
                location=caller_site().location,
            )
        other._chained_node().wait_for(self._chained_node())

    def __rshift__(self, other: _Chained) -> _Chained:
        self.runs_before(other)  # type: ignore[arg-type]
        return other

    def with_overrides(self: _Chained, *args: Any, **overrides: Any) -> _Chained:
        """Override settings of this call, and return it.

        Args:
            *args: not supported.
            **overrides: settings of the task, and ``node_name``, ``name`` and ``aliases``.

        Raises:
            OverrideError: (an ``AssertionError``) a value is a promise.
            SettingsError: an override is unknown or invalid.
            NotSupported: the callee has no settings.
        """
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
    """Future output of a node, or future input of the workflow.

    Its fields, list items and map values are promises as well: ``p.field``, ``p[0]``, ``p["key"]``. Comparisons are conditions
    for a `conditional`: ``p > 3``, ``p == other``, ``p.is_true()``.
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
            self._misused("format it as a number")
        return repr(self)  # for messages only: `refuse_printed` rejects it as a value

    def _described(self) -> str:
        if self._node is None:
            source = f"the input '{self._variable}' of {self._compilation.owner}"
        else:
            source = f"the output '{self._variable}' of {self._node}"
        return source + "".join(f".{step}" if isinstance(step, str) else f"[{step}]" for step in self._path)

    def _misused(self, use: str, hint: str = _IN_A_TASK) -> NoReturn:
        raise PromiseMisuse(
            f"{self._described()} has no value before {self._compilation.owner} runs: cannot {use}",
            hint=hint,
            location=caller_site().location,
        )

    def _chained_node(self) -> Node:
        if self._node is None:
            self._misused("order it or override its settings")
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
            self._misused(f"look up {step!r} in it")
        return self._step(step)

    def is_true(self) -> ComparisonExpression:
        """Return the condition that the value is True."""
        return _compare("==")(self, True)

    def is_false(self) -> ComparisonExpression:
        """Return the condition that the value is False."""
        return _compare("==")(self, False)

    def is_none(self) -> ComparisonExpression:
        """Return the condition that the value is None."""
        return _compare("==")(self, None)

    def is_(self, value: object) -> ComparisonExpression:
        """Return the condition that the value equals ``value``."""
        return _compare("==")(self, value)

    __hash__ = object.__hash__
    __lt__, __le__, __gt__, __ge__ = _compare("<"), _compare("<="), _compare(">"), _compare(">=")
    __eq__, __ne__ = _compare("=="), _compare("!=")  # type: ignore[assignment]  # a condition instead of bool

    def __bool__(self) -> NoReturn:  # noqa: PLE0304 - it always raises
        hint = "use conditional('…').if_(value.is_true()).then(…), @dynamic, or decide inside a task"
        self._misused("use it as a condition", hint)

    __iter__ = _refuse("iterate over it")
    __len__ = _refuse("take its length")
    __contains__ = _refuse("look for something in it")
    __int__ = __float__ = __complex__ = __index__ = __round__ = _refuse("use it as a number")
    __bytes__ = _refuse("turn it into bytes")
    __setitem__ = __delitem__ = _refuse("change it")
    __neg__ = __pos__ = __abs__ = __invert__ = _refuse("calculate with it")
    __add__ = __sub__ = __mul__ = __truediv__ = __floordiv__ = __mod__ = __pow__ = _refuse("calculate with it")
    __radd__ = __rsub__ = __rmul__ = __rtruediv__ = __rfloordiv__ = __rmod__ = __rpow__ = _refuse("calculate with it")
    __and__ = __or__ = __xor__ = __rand__ = __ror__ = __rxor__ = _refuse("combine it")
    __matmul__ = __rmatmul__ = __lshift__ = __divmod__ = _refuse("calculate with it")


class OutputTuple(tuple[Promise, ...], Chainable):
    """Outputs of one node: unpack them, or use them by name."""

    _node: Node

    @classmethod
    def of(cls, node: Node, promises: Sequence[Promise]) -> OutputTuple:
        """Return the outputs of a node."""
        outputs = cls(promises)
        outputs._node = node
        return outputs

    def _chained_node(self) -> Node:
        return self._node

    def __getattribute__(self, name: str) -> Any:
        # Outputs named count and index are common, so they take precedence over the methods of tuples.
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
    """Result of a call that returns nothing. It can only be used for ordering."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def _chained_node(self) -> Node:
        return self._node

    def __repr__(self) -> str:
        return f"VoidOutput({self._node})"

    def __bool__(self) -> NoReturn:  # noqa: PLE0304 - it always raises
        self.misused("use it as a condition")

    def __iter__(self) -> NoReturn:
        self.misused("iterate over it")

    @property
    def remedy(self) -> str:
        """Hint for using the call as a value."""
        if self._node.callee.kind_name == "conditional":
            return "let the calls of all its cases have an output of the same name and type"
        return "annotate its result: def …() -> int"

    def misused(self, use: str) -> NoReturn:
        """Raise PromiseMisuse for the use as a value.

        Raises:
            PromiseMisuse: in every case.
        """
        raise PromiseMisuse(
            f"{self._node} returns nothing: cannot {use}",
            hint=self.remedy,
            location=caller_site().location,
        )
