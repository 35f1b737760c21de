"""Readers of the fields of messages: each checks the JSON type of one field and converts the value to its Python type.

Any Temporal client can send a signal, an update or a workflow's input, so no field has the declared type until it was read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, TypeAlias, Union, get_args, get_origin

Json: TypeAlias = Any
Reader: TypeAlias = Callable[[Json], Any]
"""Conversion of the JSON of a field. It raises `WrongJson` for JSON of another type."""


class WrongJson(ValueError):
    """Error of a reader. Its text describes the expected value."""


@dataclass(frozen=True, slots=True)
class MaxLength:
    """Annotation of a field whose text any Temporal client may write: its maximum length in characters.

    The text must be valid Unicode, because records and indexes are written as UTF-8.
    """

    characters: int


def reader_of(hint: Any) -> Reader:
    """Return the reader of a field that is annotated with ``hint``.

    Raises:
        TypeError: no reader exists for the annotation.
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return _unchanged
    if origin in (Union, UnionType):
        return _reader_of_union(arguments)
    if origin is Annotated:
        return _bounded_text(next(note for note in arguments[1:] if isinstance(note, MaxLength)))
    if origin in (list, tuple):
        return _sequence(origin, arguments)
    if origin is dict:
        return _object(reader_of(arguments[1]))
    if hint is float:
        return _number
    if hint in _SCALARS:
        return _scalar(hint)
    if hasattr(hint, "from_json"):
        return _nested(hint)
    raise TypeError(f"no reader exists for a field of type {hint}")


def accepts_null(hint: Any) -> bool:
    """Return True if null is a value of a field that is annotated with ``hint``."""
    variants = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    return Any in variants or NoneType in variants


_SCALARS: dict[type, str] = {str: "a text", int: "an integer", bool: "true or false"}


def _unchanged(value: Json) -> Json:
    return value


def _scalar(kind: type) -> Reader:
    def read(value: Json) -> Any:
        if type(value) is not kind:  # not isinstance: true is not an integer
            raise WrongJson(_SCALARS[kind])
        return value

    return read


def _number(value: Json) -> float:
    if type(value) not in (int, float):
        raise WrongJson("a number")
    number: float = value
    return number


def _bounded_text(limit: MaxLength) -> Reader:
    expected = f"a text of at most {limit.characters:,} characters in valid Unicode"

    def read(value: Json) -> Any:
        if type(value) is not str or len(value) > limit.characters or not _is_unicode(value):
            raise WrongJson(expected)
        return value

    return read


def _is_unicode(text: str) -> bool:
    """Return True if UTF-8 can represent the text: it contains no lone surrogate."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _sequence(kind: Callable[[Any], Any], arguments: tuple[Any, ...]) -> Reader:
    """Return the reader of a list, or of a tuple: of any length if its annotation ends with an ellipsis."""
    length = None if kind is list or arguments[-1] is Ellipsis else len(arguments)
    read_item = reader_of(arguments[0])
    keeps_items = read_item is _unchanged

    def read(value: Json) -> Any:
        if not isinstance(value, (list, tuple)) or (length is not None and len(value) != length):
            raise WrongJson("a list" if length is None else f"a list of {length}")
        return kind(value) if keeps_items else kind(map(read_item, value))

    return read


def _object(read_value: Reader) -> Reader:
    def read(value: Json) -> Any:
        if not isinstance(value, dict):
            raise WrongJson("an object")
        return value if read_value is _unchanged else {key: read_value(item) for key, item in value.items()}

    return read


def _nested(kind: Any) -> Reader:
    def read(value: Json) -> Any:
        if isinstance(value, kind):
            return value
        if not isinstance(value, dict):
            raise WrongJson("an object")
        return kind.from_json(value)

    return read


def _reader_of_union(variants: tuple[Any, ...]) -> Reader:
    """Return the reader of an optional value; null is read before, and the marker of a missing field is not JSON."""
    kinds = [one for one in variants if one is not NoneType and getattr(one, "__name__", "") != "Unset"]
    if Any in kinds:
        return _unchanged
    if len(kinds) != 1:
        raise TypeError(f"no reader exists for a union of {len(kinds)} types")
    return reader_of(kinds[0])
