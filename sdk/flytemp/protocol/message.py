"""Base class of the typed data in Temporal payloads, and the declarations of activities, updates and signals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from enum import Enum
from types import UnionType
from typing import Any, Generic, TypeAlias, TypeVar, Union, get_args, get_origin, get_type_hints

from flytemp.errors import CorruptData

Json: TypeAlias = Any
"""A JSON value: None, bool, int, float, str, list or dict with text keys."""

M = TypeVar("M", bound="Message")


class Unset(Enum):
    """Type of the default of a field for which null is a value of its own."""

    UNSET = "unset"


UNSET = Unset.UNSET


class Message:
    """Base of frozen dataclasses that are written to a Temporal payload as JSON.

    The JSON keys are the field names. Values of fields are JSON, other messages, or tuples of JSON.
    """

    __slots__ = ()

    def to_json(self) -> dict[str, Json]:
        """Return the message as JSON without the fields that have their default."""
        data: dict[str, Json] = {}
        for name, default, _ in _fields(type(self)):
            value = getattr(self, name)
            if value is not default and value != default:
                data[name] = value.to_json() if isinstance(value, Message) else value
        return data

    @classmethod
    def from_json(cls: type[M], data: Mapping[str, Json]) -> M:
        """Return the message that ``data`` holds. Unknown fields are ignored: a newer version may have written them.

        Raises:
            CorruptData: a field without a default is missing.
        """
        known = {
            name: data[name] if read is None or data[name] is None else read(data[name])
            for name, _, read in _fields(cls)
            if name in data
        }
        try:
            return cls(**known)
        except TypeError as error:
            missing = [name for name, default, _ in _fields(cls) if default is MISSING and name not in data]
            raise CorruptData(
                f"{cls.__name__} lacks required fields: {', '.join(missing)}", hint="run all workers with the same version"
            ) from error


_Field: TypeAlias = tuple[str, Any, Callable[[Any], Any] | None]
"""Name, default (or ``MISSING``) and reader of a field. The reader converts JSON other than null; None keeps the JSON."""


_known_fields: dict[type[Message], tuple[_Field, ...]] = {}


def _fields(cls: type[Message]) -> tuple[_Field, ...]:
    """Return the fields of a message class. They are computed once per class, as messages are on the hot path."""
    known = _known_fields.get(cls)
    return known if known is not None else _known_fields.setdefault(cls, _inspect(cls))


def _inspect(cls: type[Message]) -> tuple[_Field, ...]:
    hints = get_type_hints(cls)
    found: list[_Field] = []
    for field in fields(cls):  # type: ignore[arg-type]  # every subclass is a dataclass
        default = field.default if field.default_factory is MISSING else field.default_factory()
        found.append((field.name, default, _reader(hints[field.name])))
    return tuple(found)


def _reader(hint: Any) -> Callable[[Any], Any] | None:
    variants = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    for variant in variants:
        if isinstance(variant, type) and issubclass(variant, Message):
            return variant.from_json
        if get_origin(variant) is tuple:
            return tuple
    return None


A = TypeVar("A", bound=Message)
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Activity(Generic[A, R]):
    """Declaration of an activity.

    Args:
        name: the Temporal activity type.
        argument: the class of its only argument.
        result: the class of its result: a `Message` class, ``str``, or ``NoneType``.
    """

    name: str
    argument: type[A]
    result: type[R]

    def read_result(self, data: Json) -> R:
        """Return the typed form of the result in a history."""
        return read(self.result, data)


@dataclass(frozen=True, slots=True)
class Update(Generic[A, R]):
    """Declaration of a workflow update: its name, the class of its only argument, the class of its result."""

    name: str
    request: type[A]
    result: type[R]

    def read_result(self, data: Json) -> R:
        """Return the typed form of the result that Temporal delivered."""
        return read(self.result, data)


@dataclass(frozen=True, slots=True)
class Signal(Generic[A]):
    """Declaration of a workflow signal: its name and the class of its only argument."""

    name: str
    message: type[A]


def read(kind: type[R], data: Json) -> R:
    """Return ``data`` as an instance of ``kind``: a message is decoded, other JSON is returned as it is."""
    if issubclass(kind, Message):
        return kind.from_json(data)
    result: R = data
    return result


def write(value: object) -> Json:
    """Return the JSON form of a message, or other JSON as it is."""
    return value.to_json() if isinstance(value, Message) else value
