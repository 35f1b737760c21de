"""Base of the adapters of values with named fields, and the adapter of TypedDicts."""

from __future__ import annotations

import typing
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NotRequired, Optional, Required, TypeVar, cast, get_args, get_origin

from flytemp.error_text import titled
from flytemp.errors import FlytempError, UnsupportedType
from flytemp.literals.adapters.base import Adapter, Fit
from flytemp.literals.check import check_fields
from flytemp.literals.difference import difference
from flytemp.literals.mismatch import Refused
from flytemp.literals.transfer import FileTransfer
from flytemp.literals.types import Json, LiteralType, StructField, StructType

AdapterFor = Callable[[Any], Adapter]


@dataclass(frozen=True)
class Field:
    adapter: Adapter
    required: bool


class StructAdapter(Adapter):
    """Adapter of a class with named fields. The fields are resolved at first use, so that a class may contain itself."""

    kind = "struct"

    def __init__(self, cls: type, label: str, adapter_for: AdapterFor) -> None:
        self.cls = cls
        self.label = label
        self.adapter_for = adapter_for

    @property
    def expected(self) -> str:
        return str(self.cls)

    @abstractmethod
    def load_fields(self) -> Mapping[str, Field]:
        """Return the fields in the order of the class."""

    @abstractmethod
    def field_values(self, value: Any) -> Mapping[str, Any]:
        """Return the fields that the value has."""

    def build(self, values: dict[str, Any]) -> Any:
        """Return a value with the given fields and the defaults of the others."""
        return self.cls(**values)

    @cached_property
    def fields(self) -> Mapping[str, Field]:
        return self.load_fields()

    def field(self, name: str, annotation: Any, *, required: bool, none_default: bool = False) -> Field:
        """Return a field.

        Args:
            name: the name of the field.
            annotation: the resolved annotation.
            required: False if the field has a default.
            none_default: True for the default None. The field may then be None, also if the annotation does not say so.

        Raises:
            UnsupportedType: no transformer converts the annotation; the message has the field's name.
        """
        try:
            adapter = self.adapter_for(annotation)
            if none_default and adapter.fits(None) is Fit.NO:
                adapter = self.adapter_for(Optional[annotation])  # noqa: UP045 - the annotation may be any object
            return Field(adapter, required)
        except UnsupportedType as error:
            raise UnsupportedType(f"field '{name}' of {self.label}: {error.message}", hint=error.hint) from None

    def describe(self, around: tuple[Adapter, ...]) -> LiteralType:
        name = self._name_inside(around)
        if self in around:
            return StructType(name=name, recursive=True)
        inner = (*around, self)
        fields = tuple(
            StructField(name=field_name, type=field.adapter.describe(inner), required=field.required)
            for field_name, field in self.fields.items()
        )
        return StructType(name=name, fields=fields, bases=self.bases)

    @cached_property
    def bases(self) -> tuple[str, ...]:
        """Names of the bases of the class that have fields, the nearest first."""
        return ()

    def fits(self, value: Any) -> Fit:
        if type(value) is self.cls:
            return Fit.EXACT
        return Fit.LOOSE if isinstance(value, self.cls) else Fit.NO

    def encode(self, value: Any, files: FileTransfer | None) -> Json:
        self.check_class(value)
        given = self.field_values(value)
        encoded: dict[str, Json] = {}
        for name, field in self.fields.items():
            if name in given:
                try:
                    encoded[name] = field.adapter.encode(given[name], files)
                except Refused as refused:
                    raise refused.within(name) from refused.__cause__
        return encoded

    def decode(self, literal: Json, files: FileTransfer | None) -> Any:
        check_fields(literal, self.label, self.required)
        return self.build_checked(self.decode_fields(literal, files))

    @cached_property
    def required(self) -> Mapping[str, bool]:
        """True for each field without default, by name."""
        return {name: field.required for name, field in self.fields.items()}

    def decode_fields(self, literal: dict[str, Json], files: FileTransfer | None) -> dict[str, Any]:
        """Return the values of the class's fields in a literal."""
        decoded: dict[str, Any] = {}
        for name, item in literal.items():
            if name not in self.fields:
                continue  # a field of a subclass, or a mark
            try:
                decoded[name] = self.fields[name].adapter.decode(item, files)
            except Refused as refused:
                raise refused.within(name) from refused.__cause__
        return decoded

    def build_checked(self, values: dict[str, Any]) -> Any:
        """Return the value that the constructor creates.

        Raises:
            Refused: the constructor raised an error.
        """
        try:
            return self.build(values)
        except (FlytempError, Refused):
            raise
        except Exception as error:
            raise Refused(
                f"{self.label} refuses the value: {titled(error)}",
                hint=f"the fields have the right types, but {self.label} raised an error",
            ) from error

    def check_class(self, value: Any) -> None:
        """Check that the value is of the class or a subclass, whose other fields are left out.

        Raises:
            Refused: the value is of another class.
        """
        if isinstance(value, self.cls):
            return
        hint = f"create it: {self.cls.__name__}(**value)" if isinstance(value, dict) else None
        if type(value).__name__ == self.cls.__name__:
            hint = self._difference_from(type(value))
        raise self.mismatch(value, hint)

    def _difference_from(self, other: type) -> str:
        """Return the hint for a value of another class of the same name."""
        text = f"two classes have the name {self.cls.__name__}, in {other.__module__} and {self.cls.__module__}"
        try:
            reason = difference(self.adapter_for(other).type, self.type)
        except UnsupportedType:
            reason = None
        return f"{text}: {reason}" if reason else text

    def _name_inside(self, around: tuple[Adapter, ...]) -> str:
        # A cut is resolved by its name, so a class around it must not have the same name.
        if any(other is not self and other.label == self.label for other in around):
            return f"{self.cls.__module__}.{self.cls.__qualname__}"
        return self.label


class TypedDictAdapter(StructAdapter):
    """Adapter of a ``TypedDict``."""

    def load_fields(self) -> Mapping[str, Field]:
        required_keys: frozenset[str] = cast(Any, self.cls).__required_keys__
        fields: dict[str, Field] = {}
        for name, hint in class_hints(self.cls).items():
            # With postponed annotations, __required_keys__ ignores Required and NotRequired.
            origin = get_origin(hint)
            required = origin is Required or (origin is not NotRequired and name in required_keys)
            bare = get_args(hint)[0] if origin in (Required, NotRequired) else hint
            fields[name] = self.field(name, bare, required=required)
        return fields

    def field_values(self, value: Any) -> Mapping[str, Any]:
        return cast("Mapping[str, Any]", value)

    def build(self, values: dict[str, Any]) -> Any:
        return values

    def fits(self, value: Any) -> Fit:
        if type(value) is not dict or not value.keys() <= self.fields.keys():
            return Fit.NO
        if any(field.required and name not in value for name, field in self.fields.items()):
            return Fit.NO
        return min((self.fields[name].adapter.fits(item) for name, item in value.items()), default=Fit.EXACT)

    def check_class(self, value: Any) -> None:
        if not isinstance(value, dict):
            raise self.mismatch(value)
        check_fields(value, self.label, self.required)


def substituted(hint: Any, arguments: Mapping[Any, Any]) -> Any:
    """Return the annotation with the type variables of a generic class replaced."""
    if isinstance(hint, TypeVar):
        return arguments.get(hint, hint)
    parameters = getattr(hint, "__parameters__", ())
    if not parameters or isinstance(hint, type):
        return hint
    return hint[tuple(arguments.get(parameter, parameter) for parameter in parameters)]


def class_hints(cls: type) -> dict[str, Any]:
    """Return the annotations of the class and its bases, with texts resolved.

    Raises:
        UnsupportedType: the module of a text does not have the name.
    """
    try:
        # The name of the class, so that a class made inside a function may contain itself.
        return typing.get_type_hints(cls, localns={cls.__name__: cls}, include_extras=True)
    except NameError as error:
        raise UnsupportedType(
            f"the annotations of {cls.__qualname__} cannot be resolved: {error}",
            hint="define or import the name at the top of the module, not under TYPE_CHECKING or inside a function",
        ) from None
    except TypeError as error:
        raise UnsupportedType(
            f"the annotations of {cls.__qualname__} cannot be resolved: {error}", hint="check their spelling"
        ) from None
