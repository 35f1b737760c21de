"""Form of a pod spec: the JSON type of each field that Kubernetes defines, and the names that flytemp's merge needs.

The table of fields, ``pod_fields.json``, is made from the models of Kubernetes' Python client. A field that is not in the table
may be newer than the table; its value is not checked, and the API server decides.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Mapping
from importlib.resources import files
from typing import Any

_NAMED = frozenset({"Container", "EphemeralContainer", "Volume", "EnvVar", "VolumeMount"})
"""Types whose objects need a name."""

MAX_NESTING = 40
"""Maximum nesting of a pod spec. Kubernetes' own fields need fewer than 20 levels."""

_MAX_INTEGER = 2**63 - 1


def pod_spec_problems(spec: object) -> Iterator[str]:
    """Yield the parts of a pod spec that have a wrong type or no name: ``volumes[0] must be an object, got 'cache'``."""
    yield from form_problems("PodSpec", spec, "the pod spec")


def form_problems(kind: str, value: object, path: str) -> Iterator[str]:
    """Yield the parts of an object of the Kubernetes API that have a wrong type or no name.

    Args:
        kind: type of the object in the table of fields.
        value: the object as JSON.
        path: name of the object in messages.
    """
    if _is_nested_too_deeply(value, MAX_NESTING):
        yield f"{path} is nested more than {MAX_NESTING} levels deep"
        return
    yield from _typed(kind, value, path)


def _is_nested_too_deeply(value: object, levels: int) -> bool:
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return levels < 0 or any(_is_nested_too_deeply(part, levels - 1) for part in parts)


def _typed(kind: str, value: object, path: str) -> Iterator[str]:
    """Yield the problems of a value of a type such as ``text``, ``Container``, ``Container[]`` or ``text{}``."""
    if value is None:
        return
    if kind.endswith("[]"):
        yield from _list(kind.removesuffix("[]"), value, path)
    elif kind.endswith("{}"):
        yield from _map(kind.removesuffix("{}"), value, path)
    elif kind in _SIMPLE:
        noun, fits = _SIMPLE[kind]
        if not fits(value):
            yield _wrong(path, noun, value)
        elif isinstance(value, str):
            yield from _text_problems(path, value)
    else:
        yield from _object(kind, value, path)


def _list(kind: str, value: object, path: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield _wrong(path, "a list", value)
        return
    for number, item in enumerate(value):
        if item is None:
            yield _wrong(f"{path}[{number}]", "an object" if kind not in _SIMPLE else _SIMPLE[kind][0], item)
        yield from _typed(kind, item, f"{path}[{number}]")


def _map(kind: str, value: object, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield _wrong(path, "an object", value)
        return
    for key, item in value.items():
        yield from _text_problems(f"a key of {path}", str(key))
        yield from _typed(kind, item, f"{path}.{key}")


def _object(kind: str, value: object, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield _wrong(path, "an object", value)
        return
    if kind in _NAMED and not value.get("name"):
        yield f"{path} has no name"
    fields = _fields().get(kind, {})
    for name, item in value.items():
        inner = str(name) if path == "the pod spec" else f"{path}.{name}"
        yield from _typed(fields[name], item, inner) if name in fields else _unknown(item, inner)


def _unknown(value: object, path: str) -> Iterator[str]:
    """Yield the texts in a field outside of the table that no JSON document can hold."""
    if isinstance(value, str):
        yield from _text_problems(path, value)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _unknown(item, f"{path}.{name}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _unknown(item, f"{path}[{number}]")


def _text_problems(path: str, text: str) -> Iterator[str]:
    if "\0" in text:
        yield f"{path} has a NUL character"
    elif not is_unicode(text):
        yield f"{path} has a character that is not Unicode: {text!r}"


def is_unicode(text: str) -> bool:
    """Return whether a text has no lone surrogates, so that it can be sent as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _wrong(path: str, noun: str, value: object) -> str:
    return f"{path} must be {noun}, got {_shortened(value)}"


def _shortened(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _MAX_INTEGER


def _is_quantity(value: object) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _MAX_INTEGER
    return isinstance(value, str) or is_number


_SIMPLE: Mapping[str, tuple[str, Callable[[object], bool]]] = {
    "text": ("text", lambda value: isinstance(value, str)),
    "bool": ("true or false", lambda value: isinstance(value, bool)),
    "int": ("a whole number", _is_integer),
    "number": ("a number", _is_quantity),
    "quantity": ("a quantity", _is_quantity),
    "port": ("a port", lambda value: isinstance(value, str) or _is_integer(value)),
    "any": ("any value", lambda value: True),
}


@functools.cache
def _fields() -> dict[str, dict[str, str]]:
    table: Any = json.loads(files("flytemp.pods").joinpath("pod_fields.json").read_text())
    fields: dict[str, dict[str, str]] = table
    return fields
