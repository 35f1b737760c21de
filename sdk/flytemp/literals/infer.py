"""From an annotation to the type that a spec names."""

from __future__ import annotations

from typing import Any

from flytemp.errors import NotSupported
from flytemp.literals.adapters.resolve import adapter_for
from flytemp.literals.types import LiteralType


def literal_type(annotation: Any) -> LiteralType:
    """The type of an annotation whose texts are resolved (``typing.get_type_hints(…, include_extras=True)``).

    A union's variants come in a canonical order, so that ``int | str`` and ``str | int`` are one type.

    Raises:
        NotSupported: naming the annotation, the field it belongs to, and what to use in its place.
    """
    try:
        return adapter_for(annotation).type
    except RecursionError:
        raise NotSupported(
            f"the annotation {annotation} contains itself, and no class of its own is in between",
            hint="make it a dataclass or a pydantic model, which may contain itself; or use dict, list or Any",
        ) from None
