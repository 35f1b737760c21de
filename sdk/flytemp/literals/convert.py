"""Python values to literals and back. Strict: nothing is converted that the annotation does not say."""

from __future__ import annotations

from typing import Any

from flytemp.literals.adapters.resolve import adapter_for
from flytemp.literals.mismatch import explained
from flytemp.literals.transfer import FileTransfer
from flytemp.literals.types import Json


def to_literal(value: Any, annotation: Any, files: FileTransfer | None = None) -> Json:
    """The JSON of a Python value that must be of the annotation.

    Args:
        value: an ``int`` for a ``float`` is refused, as is a subclass's value for a dataclass.
        annotation: resolved, see `flytemp.literals.infer.literal_type`.
        files: uploads files and directories, also those inside of other values. None moves nothing: local paths
            are written as they are.

    Raises:
        TypeMismatch: naming the place inside the value.
        LimitExceeded: when bytes are too many to travel as a value.
        NotSupported: when the annotation is not.
        StoreError: when a file cannot be uploaded.
    """
    adapter = adapter_for(annotation)
    return explained(lambda: adapter.encode(value, files))


def from_literal(literal: Json, annotation: Any, files: FileTransfer | None = None) -> Any:
    """The Python value of a literal; ``from_literal(to_literal(v, T), T) == v``.

    Args:
        literal: what `check_literal` takes is accepted, also where it is not yet canonical.
        annotation: resolved, see `flytemp.literals.infer.literal_type`.
        files: says where remote files will be downloaded to once they are used.

    Raises:
        TypeMismatch: when the literal is of another type, or the class refuses the value.
        NotSupported: when the annotation is not.
    """
    adapter = adapter_for(annotation)
    return explained(lambda: adapter.decode(literal, files))
