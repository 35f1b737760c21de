"""Context in which a context variable has a value."""

from __future__ import annotations

from contextvars import ContextVar, Token
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")


class ContextValue(Generic[T]):
    """Context in which ``variable`` has ``value``.

    The context is a class and not a generator, because `contextlib` assigns to the exceptions that pass through a generator, and
    an exception of the user may refuse the assignment, as a frozen dataclass does.
    """

    def __init__(self, variable: ContextVar[T], value: T) -> None:
        self._variable = variable
        self._value = value
        self._token: Token[T] | None = None

    def __enter__(self) -> T:
        self._token = self._variable.set(self._value)
        return self._value

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._token is not None
        self._variable.reset(self._token)
