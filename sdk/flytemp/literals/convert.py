"""Conversion of annotations to types, and of Python values to literals and back.

The conversion is strict: nothing is converted that the annotation does not say.
"""

from __future__ import annotations

from typing import Any

from flytemp.errors import UnsupportedType
from flytemp.literals.mismatch import with_public_errors
from flytemp.literals.registry import adapter_for
from flytemp.literals.transfer import FileTransfer, inline_values
from flytemp.literals.types import Json, LiteralType


def literal_type(annotation: Any) -> LiteralType:
    """Return the type of an annotation whose texts are resolved (``typing.get_type_hints(…, include_extras=True)``).

    A union's variants are in a canonical order, so that ``int | str`` and ``str | int`` are one type.

    Raises:
        UnsupportedType: the annotation has no type. The message has the annotation and its field, the hint an alternative.
    """
    try:
        return adapter_for(annotation).type
    except RecursionError:
        raise UnsupportedType(
            f"the annotation {annotation} contains itself without a class in between",
            hint="make it a dataclass or a pydantic model, which may contain itself; or use dict, list or Any",
        ) from None


def to_literal(value: Any, annotation: Any, files: FileTransfer | None = None) -> Json:
    """Return the JSON of a Python value that must be of the annotation.

    Args:
        value: may be an ``int`` for a ``float``, and a subclass's value for a class with fields.
        annotation: resolved, see `literal_type`.
        files: uploads files and directories, also inside other values. With None nothing is moved: the literal has the
            local paths.

    Raises:
        TypeMismatch: the value does not fit; the message has the position inside the value.
        LimitExceeded: bytes exceed the limit of a value.
        UnsupportedType: the annotation has no type.
        StoreError: a file cannot be uploaded.
    """
    adapter = adapter_for(annotation)
    return with_public_errors(lambda: adapter.encode(value, files))


def constant_literal(value: Any, annotation: Any) -> Json:
    """Return the JSON of a default or constant. It does not depend on this machine, because it is a part of a document.

    Encoded values are inside the literal. Files keep their paths. Raises as `to_literal`.
    """
    with inline_values():
        return to_literal(value, annotation)


def from_literal(literal: Json, annotation: Any, files: FileTransfer | None = None) -> Any:
    """Return the Python value of a literal; ``from_literal(to_literal(v, T), T) == v``.

    Args:
        literal: every form that `check_literal` accepts.
        annotation: resolved, see `literal_type`.
        files: decides the local paths of remote files, which are downloaded when they are used.

    Raises:
        TypeMismatch: the literal is of another type, or the class refuses the value.
        UnsupportedType: the annotation has no type.
    """
    adapter = adapter_for(annotation)
    return with_public_errors(lambda: adapter.decode(literal, files))
