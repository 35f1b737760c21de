"""Interface of the adapters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import IntEnum
from functools import cached_property
from typing import Any

from flytemp.error_text import object_text
from flytemp.literals.mismatch import Refused, shortened
from flytemp.literals.transfer import FileTransfer
from flytemp.literals.types import Json, LiteralType


class Fit(IntEnum):
    """Degree to which a Python value fits an annotation. A union converts a value by the variant with the highest degree."""

    NO = 0
    LOOSE = 1  # accepted with a change, for instance a value of a subclass of float
    EXACT = 2


class Adapter(ABC):
    """Conversion of the values of one annotation.

    ``label`` is the annotation in error messages. It is the same in every process, because it orders a union's variants.
    """

    kind: str
    label: str

    @cached_property
    def type(self) -> LiteralType:
        """Type of the annotation in a spec."""
        return self.describe(())

    @abstractmethod
    def describe(self, around: tuple[Adapter, ...]) -> LiteralType:
        """Return the type as it is written inside the structs ``around``."""

    @abstractmethod
    def fits(self, value: Any) -> Fit:
        """Return how well the value fits, without moving a file."""

    @abstractmethod
    def encode(self, value: Any, files: FileTransfer | None) -> Json:
        """Return the value's JSON.

        Raises:
            Refused: the value does not fit.
        """

    @abstractmethod
    def decode(self, literal: Json, files: FileTransfer | None) -> Any:
        """Return the Python value of any accepted JSON form.

        Raises:
            Refused: the JSON does not fit.
        """

    @property
    def expected(self) -> str:
        """The annotation in flytekit's error messages."""
        return self.label

    def mismatch(self, value: Any, hint: str | None = None) -> Refused:
        """Return the error for a Python value of another type, with flytekit's message."""
        message = f"Expected value of type {self.expected} but got '{value_text(value)}' of type {type_text(value)}"
        return Refused(message, hint=hint or _hint(self, value))


def value_text(value: Any) -> str:
    """Return a Python value as text, shortened for an error message. The value's class may raise any exception."""
    return shortened(object_text(value))


def type_text(value: Any) -> str:
    """Return the class of a Python value as text, as in flytekit's messages. Its metaclass may raise any exception."""
    return object_text(type(value))


def _hint(adapter: Adapter, value: Any) -> str | None:
    if value is None:
        return f"declare it as Optional[{adapter.label}] if None is possible"
    if type(value).__module__.partition(".")[0] == "numpy" and hasattr(value, "item"):
        return "convert it to a Python value: value.item() or value.tolist()"
    if adapter.kind in ("float", "integer", "string") and isinstance(value, int | float | str):
        return f"convert it: {adapter.label}(value); flytemp does not convert implicitly"
    return None
