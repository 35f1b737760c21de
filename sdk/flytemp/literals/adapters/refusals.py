"""Errors for annotations without a transformer."""

from __future__ import annotations

import collections.abc
import datetime
from enum import Enum
from typing import Any, NoReturn, TypeVar, get_args, get_origin

from flytemp.errors import UnsupportedType


def refuse(annotation: Any) -> NoReturn:
    """Raise the error for an annotation that no transformer converts.

    Raises:
        UnsupportedType: always; the hint has an alternative.
    """
    raise UnsupportedType(f"flytemp has no type for the annotation {annotation_text(annotation)}", hint=_alternative(annotation))


def annotation_text(annotation: Any) -> str:
    """Return the annotation as an error quotes it."""
    if isinstance(annotation, type) and not get_args(annotation):
        return f"{annotation.__module__}.{annotation.__qualname__}".removeprefix("builtins.")
    return str(annotation)


def _alternative(annotation: Any) -> str:
    origin = get_origin(annotation) or annotation
    if isinstance(origin, type) and origin.__module__.startswith("flytemp.") and hasattr(origin, "_instead"):
        return str(origin._instead)  # a name of flytekit that is not supported
    if isinstance(annotation, TypeVar):
        return "use a class instead of the type variable: the types of a task are fixed when it is compiled"
    if origin in _ALTERNATIVES:
        return _ALTERNATIVES[origin]
    module = str(getattr(origin, "__module__", "")).partition(".")[0]
    if module in ("pandas", "polars", "pyarrow"):
        return 'write the frame to a file and pass it as FlyteFile["parquet"], or register a TypeTransformer'
    if module in ("numpy", "torch", "tensorflow", "sklearn", "PIL", "matplotlib"):
        return "save the object to a file and pass it as FlyteFile, or register a TypeTransformer"
    return (
        "use a dataclass or a pydantic model, save the object to a file and pass it as FlyteFile, or register a TypeTransformer"
    )


_AS_LIST = "use list[…] and convert inside the task"
_ALTERNATIVES: dict[Any, str] = {
    tuple: "declare the items: tuple[int, str], or tuple[int, ...]",
    set: _AS_LIST,
    frozenset: _AS_LIST,
    range: _AS_LIST,
    collections.abc.Sequence: "use list[…]",
    collections.abc.Iterable: "use list[…]",
    collections.abc.Iterator: "use list[…], or write a file and pass it as FlyteFile",
    collections.abc.Generator: "use list[…], or write a file and pass it as FlyteFile",
    collections.abc.Mapping: "use dict[…, …]",
    collections.abc.Callable: "pass the name of the function and look it up inside the task",
    complex: "use tuple[float, float]",
    bytearray: "use bytes",
    datetime.time: "use str, or a datetime or timedelta",
    Enum: "use a subclass of Enum with members",
    NoReturn: "annotate with None if nothing is returned",
}
