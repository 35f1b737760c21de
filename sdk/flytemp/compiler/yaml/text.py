"""Types and bindings in one line of text: ``list[int]``, ``$load.rows[0].name``."""

from __future__ import annotations

import ast
import functools
import json
import re
import typing
from datetime import date, datetime, timedelta
from typing import Any

from flytemp.errors import FlytempError
from flytemp.literals.convert import literal_type
from flytemp.literals.describe import SIMPLE_NAMES

Json = Any

_TYPES = (
    "int, float, str, bool, datetime, date, timedelta, bytes, any, file, directory, list[T], dict[K, V], tuple[T, …], T | None"
)
_REFERENCE = re.compile(r"\$(?P<node>[a-z0-9-]+)\.(?P<var>\w+)(?P<path>(?:\.\w+|\[-?\d+\]|\[\"(?:[^\"\\]|\\.)*\"\])*)")
_STEP = re.compile(r"\.(\w+)|\[(-?\d+)\]|\[(\"(?:[^\"\\]|\\.)*\")\]")


class InvalidText(ValueError):
    """Error raised for text that is neither a type nor a binding. ``hint`` shows valid text."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def read_type(text: str) -> dict[str, Json]:
    """Return the JSON of the type in a text such as ``dict[str, int | None]`` or ``file[csv]``.

    Raises:
        InvalidText: if the text is not a type.
    """
    try:
        described: dict[str, Json] = literal_type(_annotation(ast.parse(text.strip(), mode="eval").body)).model_dump(mode="json")
    except (SyntaxError, ValueError, RecursionError, MemoryError, TypeError):  # MemoryError: a text of 200 brackets
        raise InvalidText(f"{text!r} is not a type", f"types are {_TYPES}; structs and enums need their complete form") from None
    except FlytempError as error:
        raise InvalidText(f"{text!r} is not a type: {error.message}", error.hint or f"types are {_TYPES}") from None
    return described


def _annotation(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=None):
            return None
        case ast.Name(id=name) if name in _names():
            return _names()[name]
        case ast.Subscript(value=ast.Name(id=("file" | "directory") as kind), slice=ast.Name(id=format_)):
            return _names()[kind][format_]
        case ast.Subscript(value=ast.Name(id="list"), slice=item):
            return list[_annotation(item)]  # type: ignore[misc]
        case ast.Subscript(value=ast.Name(id="dict"), slice=ast.Tuple(elts=[key, value])):
            return dict[_annotation(key), _annotation(value)]  # type: ignore[misc]
        case ast.Subscript(value=ast.Name(id="tuple"), slice=ast.Tuple(elts=items)):
            return tuple[tuple(_annotation(item) for item in items)]  # type: ignore[misc]
        case ast.Subscript(value=ast.Name(id="tuple"), slice=item):
            return tuple[_annotation(item)]  # type: ignore[misc]
        case ast.BinOp(op=ast.BitOr(), left=left, right=right):
            return typing.Union[_annotation(left), _annotation(right)]  # noqa: UP007
    raise ValueError


@functools.cache
def _names() -> dict[str, Any]:
    """Return the annotations of simple names, which are those of Python and of the spec."""
    from flytemp.types.directory import FlyteDirectory
    from flytemp.types.file import FlyteFile

    python = {
        "boolean": bool,
        "integer": int,
        "float": float,
        "string": str,
        "datetime": datetime,
        "date": date,
        "duration": timedelta,
        "bytes": bytes,
        "none": None,
        "any": dict,
    }
    return {
        **python,
        **{SIMPLE_NAMES[kind]: annotation for kind, annotation in python.items()},
        "file": FlyteFile,
        "directory": FlyteDirectory,
    }


def read_reference(text: str) -> dict[str, Json] | None:
    """Return the JSON of the binding in ``$inputs.x``, ``$node.output`` or ``$error``; None for plain text.

    A path may follow: ``$load.rows[0].name["first key"]``. ``$$`` begins a plain text that has one dollar sign.

    Raises:
        InvalidText: if the text begins with one dollar sign and is not a reference.
    """
    if not text.startswith("$"):
        return None
    if text.startswith("$$"):
        return {"kind": "literal", "value": text[1:]}
    if text == "$error":
        return {"kind": "error"}
    found = _REFERENCE.fullmatch(text)
    if found is None:
        raise InvalidText(
            f"{text!r} is not an input, an output or the error",
            "write $inputs.name, $node.output or $error, and $$ for a text that begins with a dollar sign",
        )
    path = [_step(step) for step in _STEP.finditer(found["path"])]
    source: dict[str, Json] = {"kind": "input"} if found["node"] == "inputs" else {"kind": "output", "node": found["node"]}
    return {**source, "var": found["var"], "path": path}


def _step(found: re.Match[str]) -> str | int:
    field, index, key = found.groups()
    if field is not None:
        return str(field)
    return int(index) if index is not None else str(json.loads(key))
