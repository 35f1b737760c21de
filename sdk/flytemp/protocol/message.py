"""Base class of the typed data in Temporal payloads, and the declarations of activities, updates and signals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from enum import Enum
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar, get_type_hints

from flytemp.errors import CorruptData
from flytemp.protocol.field_readers import Reader, WrongJson, accepts_null, reader_of

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
        for field in _fields(type(self)):
            value = getattr(self, field.name)
            if value is not field.default and value != field.default:
                data[field.name] = value.to_json() if isinstance(value, Message) else value
        return data

    @classmethod
    def from_json(cls: type[M], data: Json) -> M:
        """Return the message that ``data`` holds. Unknown fields are ignored: a newer version may have written them.

        Null stands for the default of a field that has a default and is not nullable.

        Raises:
            CorruptData: ``data`` is not an object, lacks a field without a default, or has a field of another JSON type.
        """
        if not isinstance(data, Mapping):
            raise _corrupt(f"{cls.__name__} must be a JSON object")
        known: dict[str, Any] = {}
        missing: list[str] = []
        for field in _fields(cls):
            value = data.get(field.name)
            if field.name not in data or (value is None and not field.is_nullable and field.default is not MISSING):
                if field.default is MISSING:
                    missing.append(field.name)
            elif value is None and field.is_nullable:
                known[field.name] = None
            else:
                known[field.name] = _read_field(cls, field, value)
        if missing:
            raise _corrupt(f"{cls.__name__} lacks required fields: {', '.join(missing)}")
        return cls(**known)


def _read_field(cls: type[Message], field: _Field, value: Json) -> Any:
    try:
        return field.read(value)
    except WrongJson as error:
        raise _corrupt(f"{cls.__name__}.{field.name} must be {error}") from error


def _corrupt(problem: str) -> CorruptData:
    return CorruptData(problem, hint="run all workers with the same version")


class _Field(NamedTuple):
    """A field of a message class. ``default`` is ``MISSING`` if the field is required."""

    name: str
    default: Any
    read: Reader
    is_nullable: bool


_known_fields: dict[type[Message], tuple[_Field, ...]] = {}


def _fields(cls: type[Message]) -> tuple[_Field, ...]:
    """Return the fields of a message class. They are computed once per class, as messages are on the hot path."""
    known = _known_fields.get(cls)
    return known if known is not None else _known_fields.setdefault(cls, _inspect(cls))


def _inspect(cls: type[Message]) -> tuple[_Field, ...]:
    hints = get_type_hints(cls, include_extras=True)
    found: list[_Field] = []
    for field in fields(cls):  # type: ignore[arg-type]  # every subclass is a dataclass
        default = field.default if field.default_factory is MISSING else field.default_factory()
        hint = hints[field.name]
        found.append(_Field(field.name, default, reader_of(hint), accepts_null(hint)))
    return tuple(found)


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
