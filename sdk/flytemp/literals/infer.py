"""From an annotation to the type that a spec names."""

from __future__ import annotations

from typing import Any

from flytemp.literals.adapters.resolve import adapter_for
from flytemp.literals.types import LiteralType


def literal_type(annotation: Any) -> LiteralType:
    """The type of an annotation whose texts are resolved (``typing.get_type_hints(…, include_extras=True)``).

    A union's variants come in a canonical order, so that ``int | str`` and ``str | int`` are one type.

    Raises:
        NotSupported: naming the annotation, the field it belongs to, and what to use in its place.
    """
    return adapter_for(annotation).type
