"""What every adapter can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import IntEnum
from functools import cached_property
from typing import Any

from flytemp.literals.mismatch import Refused, shortened
from flytemp.literals.transfer import FileTransfer
from flytemp.literals.types import Json, LiteralType


class Fit(IntEnum):
    """How well a Python value fits: what chooses the variant of a union."""

    NO = 0
    LOOSE = 1  # accepted and changed, for instance a subclass of float
    EXACT = 2


class Adapter(ABC):
    """Converts the values of one annotation.

    ``label`` is the annotation in a person's words, and the same in every process: it orders a union's variants.
    """

    kind: str
    label: str

    @cached_property
    def type(self) -> LiteralType:
        """The type that a spec names."""
        return self.describe(())

    @abstractmethod
    def describe(self, around: tuple[Adapter, ...]) -> LiteralType:
        """The type, inside the structs ``around`` it."""

    @abstractmethod
    def fits(self, value: Any) -> Fit:
        """Whether `encode` takes the value. Moves no file."""

    @abstractmethod
    def encode(self, value: Any, files: FileTransfer | None) -> Json:
        """The value's JSON; raises `Refused`."""

    @abstractmethod
    def decode(self, literal: Json, files: FileTransfer | None) -> Any:
        """The Python value of any accepted JSON form; raises `Refused`."""

    @property
    def expected(self) -> str:
        """How an error names the annotation."""
        return self.label

    def mismatch(self, value: Any, hint: str | None = None) -> Refused:
        """The refusal of a Python value, in flytekit's words."""
        message = f"Expected value of type {self.expected} but got '{value_text(value)}' of type {type(value)}"
        return Refused(message, hint=hint or _hint(self, value))


def value_text(value: Any) -> str:
    """A Python value, short enough for an error."""
    try:
        return shortened(str(value))
    except Exception as error:  # noqa: BLE001 - a class's own __str__ may raise anything, and the error must still be told
        return f"<a value whose text fails: {type(error).__name__}>"


def _hint(adapter: Adapter, value: Any) -> str | None:
    if value is None:
        return f"declare it as Optional[{adapter.label}] if None may come"
    if type(value).__module__.partition(".")[0] == "numpy" and hasattr(value, "item"):
        return "make it a Python value: value.item() or value.tolist()"
    if adapter.kind in ("float", "integer", "string") and isinstance(value, int | float | str):
        return f"convert it: {adapter.label}(value); flytemp converts nothing silently"
    return None
