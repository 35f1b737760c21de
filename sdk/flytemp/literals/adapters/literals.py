"""Adapters of ``Enum`` and ``typing.Literal``."""

from __future__ import annotations

import math
from enum import Enum
from typing import Any

from flytemp.errors import UnsupportedType
from flytemp.literals import simple
from flytemp.literals.adapters.base import Adapter, Fit
from flytemp.literals.mismatch import Refused
from flytemp.literals.transfer import FileTransfer
from flytemp.literals.types import EnumType, Json, LiteralType


class ChoiceAdapter(Adapter):
    """Adapter of a fixed set of values, each with its own JSON scalar."""

    kind = "enum"

    def __init__(self, label: str, choices: list[tuple[Any, Json]], enum: type[Enum] | None = None) -> None:
        self.label = label
        self._enum = enum
        self._values = tuple(json for _, json in choices)
        self._members = tuple(str(choice.name) for choice, _ in choices) if enum is not None else ()
        # With the class, because 1, 1.0 and True are equal keys of a dict.
        self._to_json = {(type(choice), choice): json for choice, json in choices}
        self._from_json = {(type(json), json): choice for choice, json in choices}
        if len(self._from_json) < len(choices):
            raise UnsupportedType(f"{label}: two of its values have the same JSON form", hint="give each a different value")

    @property
    def expected(self) -> str:
        return self.label if self._enum is None else str(self._enum)

    def describe(self, around: tuple[Adapter, ...]) -> LiteralType:
        return EnumType(name=self.label, values=self._values, members=self._members)

    def fits(self, value: Any) -> Fit:
        try:
            if (type(value), value) in self._to_json:
                return Fit.EXACT
            return Fit.LOOSE if self._is_member_text(value) else Fit.NO
        except TypeError:  # unhashable
            return Fit.NO

    def encode(self, value: Any, files: FileTransfer | None) -> Json:
        match self.fits(value):
            case Fit.EXACT:
                return self._to_json[(type(value), value)]
            case Fit.LOOSE:
                return value
            case _:
                raise self._refuse(value)

    def decode(self, literal: Json, files: FileTransfer | None) -> Any:
        value = simple.check_choice(self.label, self._values, literal)
        return self._from_json[(type(value), value)]

    def _is_member_text(self, value: Any) -> bool:
        """Return whether the value is the text of an Enum's member, which flytekit accepts."""
        return self._enum is not None and type(value) is str and (str, value) in self._from_json

    def _refuse(self, value: Any) -> Refused:
        if self._enum is not None and type(value) is str:
            return Refused(f"'{value}' is not a valid {self.label}", hint=simple.choices_hint(self._values))
        return self.mismatch(value, simple.choices_hint(self._values))


def enum_adapter(enum: type[Enum]) -> ChoiceAdapter:
    """Return the adapter of an ``Enum``.

    Raises:
        UnsupportedType: the Enum has no members, or members without plain values.
    """
    choices = [(member, _choice_value(enum.__name__, member.value, f"{enum.__name__}.{member.name}")) for member in enum]
    if not choices:
        raise UnsupportedType(f"{enum.__name__} has no members", hint="use an Enum with members")
    return ChoiceAdapter(enum.__name__, choices, enum)


def literal_adapter(values: tuple[Any, ...]) -> ChoiceAdapter:
    """Return the adapter of a ``typing.Literal``, in which a member of an Enum counts as its value.

    The values are sorted. Python treats ``Literal["a", "b"]`` and ``Literal["b", "a"]`` as equal, and its caches exchange
    them, so the written order would depend on other imports.
    """
    values = tuple(sorted(values, key=lambda value: (type(value).__name__, repr(value))))
    label = f"Literal[{', '.join(str(value) if isinstance(value, Enum) else repr(value) for value in values)}]"
    choices = [(value, _choice_value(label, value.value if isinstance(value, Enum) else value, repr(value))) for value in values]
    return ChoiceAdapter(label, choices)


def _choice_value(label: str, value: Any, shown: str) -> Json:
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, bool) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, int):
        return int(value)
    raise UnsupportedType(
        f"{label}: the value {value!r} of {shown} is not a text, integer, float or boolean",
        hint="give the members plain values, preferably text",
    )
