"""Adapters of simple values and of untyped JSON."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from flytemp.literals import simple
from flytemp.literals.adapters.base import Adapter, Fit
from flytemp.literals.describe import SIMPLE_NAMES
from flytemp.literals.mismatch import Refused, expected
from flytemp.literals.transfer import FileTransfer
from flytemp.literals.types import Json, LiteralType, SimpleKind, SimpleType


@dataclass(frozen=True)
class Scalar:
    """A Python class and its JSON form. ``plain`` converts the value of a subclass to the class itself without loss."""

    python: type
    kind: SimpleKind
    write: Callable[[Any], Json]
    read: Callable[[Json], Any]
    plain: Callable[[Any], Any]


class ScalarAdapter(Adapter):
    """Adapter of a class with a simple kind."""

    def __init__(self, scalar: Scalar) -> None:
        self._python = scalar.python
        self._write = scalar.write
        self._read = scalar.read
        self._plain = scalar.plain
        self.kind = scalar.kind
        self._type = SimpleType(kind=scalar.kind)
        self.label = SIMPLE_NAMES[scalar.kind]

    @property
    def expected(self) -> str:
        return str(self._python)

    def describe(self, around: tuple[Adapter, ...]) -> LiteralType:
        return self._type

    def fits(self, value: Any) -> Fit:
        if type(value) is self._python:
            return Fit.EXACT
        return Fit.LOOSE if self._is_subclass_value(value) else Fit.NO

    def encode(self, value: Any, files: FileTransfer | None) -> Json:
        if type(value) is self._python:
            return self._write(value)
        if self._is_subclass_value(value):
            return self._write(self._plain(value))
        raise self.mismatch(value)

    def decode(self, literal: Json, files: FileTransfer | None) -> Any:
        return self._read(literal)

    def _is_subclass_value(self, value: Any) -> bool:
        # In Python a bool is an int and a datetime is a date. A signature with int or date does not mean these.
        if not isinstance(value, self._python) or type(value) in (bool, datetime):
            return False
        if self._python is date and isinstance(value, datetime):
            return False
        plain = self._plain(value)
        return bool(plain == value or plain != plain)


class FloatAdapter(ScalarAdapter):
    """Adapter of ``float``, which accepts an ``int`` as Python does, if the float is exact."""

    def fits(self, value: Any) -> Fit:
        return Fit.LOOSE if type(value) is int else super().fits(value)

    def encode(self, value: Any, files: FileTransfer | None) -> Json:
        if type(value) is not int:
            return super().encode(value, files)
        converted = simple.read_float(value)
        if converted != value:
            raise Refused("the integer has no exact float", hint="convert it: float(value); or declare int")
        return converted


class AnyAdapter(Adapter):
    """Adapter of untyped ``dict`` and ``list``, and of ``Any``, whose values are plain JSON."""

    kind = "any"

    def __init__(self, container: type | None = None) -> None:
        self._container = container
        self.label = "any" if container is None else container.__name__

    @property
    def expected(self) -> str:
        return self.label if self._container is None else str(self._container)

    def describe(self, around: tuple[Adapter, ...]) -> LiteralType:
        return SimpleType(kind="any")

    def fits(self, value: Any) -> Fit:
        try:
            self.encode(value, None)
        except Refused:
            return Fit.NO
        return Fit.LOOSE if self._container is None else Fit.EXACT

    def encode(self, value: Any, files: FileTransfer | None) -> Json:
        if self._container is not None and not isinstance(value, self._container):
            raise self.mismatch(value)
        return simple.check_any(value)

    def decode(self, literal: Json, files: FileTransfer | None) -> Any:
        if self._container is not None and not isinstance(literal, self._container):
            raise expected(f"a {'list' if self._container is list else 'JSON object'}", literal)
        return simple.check_any(literal)


def _plain_datetime(value: datetime) -> datetime:
    return datetime(
        value.year,
        value.month,
        value.day,
        value.hour,
        value.minute,
        value.second,
        value.microsecond,
        tzinfo=value.tzinfo,
        fold=value.fold,
    )


def _plain_duration(value: timedelta) -> timedelta:
    return timedelta(days=value.days, seconds=value.seconds, microseconds=value.microseconds)


def _same(value: Any) -> Any:
    return value


def scalar_adapter(scalar: Scalar) -> Adapter:
    """Return the adapter of a class with a simple kind."""
    return FloatAdapter(scalar) if scalar.python is float else ScalarAdapter(scalar)


SCALARS: dict[type, Scalar] = {
    scalar.python: scalar
    for scalar in (
        Scalar(type(None), "none", _same, simple.read_none, _same),
        Scalar(bool, "boolean", _same, simple.read_boolean, _same),
        Scalar(int, "integer", simple.write_integer, simple.read_integer, int.__int__),
        Scalar(float, "float", simple.write_float, simple.read_float, float.__float__),
        Scalar(str, "string", simple.write_text, simple.read_text, str.__str__),
        Scalar(datetime, "datetime", simple.write_datetime, simple.read_datetime, _plain_datetime),
        Scalar(date, "date", date.isoformat, simple.read_date, lambda value: date(value.year, value.month, value.day)),
        Scalar(timedelta, "duration", simple.write_duration, simple.read_duration, _plain_duration),
        Scalar(bytes, "bytes", simple.write_bytes, simple.read_bytes, lambda value: b"".join([value])),
    )
}
"""The classes with a simple kind."""
