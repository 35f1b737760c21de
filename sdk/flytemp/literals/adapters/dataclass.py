"""Adapter of dataclasses."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import types
import typing
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from pydantic.fields import FieldInfo

from flytemp.errors import UnsupportedType
from flytemp.literals.adapters.records import RecordAdapter, is_generated
from flytemp.literals.adapters.structs import AdapterFor, Field, class_hints, substituted

_HEAP_TYPE = 1 << 9  # the flag of classes that a ``class`` statement created
_WITHOUT_CONTENT = (object, typing.Generic, typing.Protocol)


class DataclassAdapter(RecordAdapter):
    """Adapter of a dataclass; ``arguments`` are the values of a generic class's type variables."""

    def __init__(self, cls: type, label: str, adapter_for: AdapterFor, arguments: Mapping[Any, Any]) -> None:
        super().__init__(cls, label, adapter_for)
        self._arguments = arguments

    def load_fields(self) -> Mapping[str, Field]:
        self._check_content()
        hints = class_hints(self.cls)
        for name, hint in hints.items():
            if type(hint) is dataclasses.InitVar:
                raise UnsupportedType(
                    f"the field '{name}' of {self.label} is an InitVar, whose value is not kept",
                    hint="make it a field, or use a pydantic model",
                )
        return {
            field.name: self.field(
                field.name,
                substituted(hints[field.name], self._arguments),
                required=field.init and not _has_default(field),
                none_default=field.default is None or getattr(field.default, "default", ...) is None,
            )
            for field in dataclasses.fields(self.cls)
        }

    def base_names(self) -> tuple[str, ...]:
        return tuple(base.__name__ for base in self.cls.__mro__[1:] if dataclasses.is_dataclass(base))

    def runs_code(self) -> bool:
        cls: Any = self.cls
        return (
            hasattr(cls, "__post_init__")
            or bool(self.computed())
            or type(cls).__call__ is not type.__call__
            or cls.__new__ is not object.__new__
            or not is_generated(cls.__init__)
            or not (cls.__setattr__ is object.__setattr__ or is_generated(cls.__setattr__))
            or any(self._is_descriptor(field.name) for field in dataclasses.fields(cls))
        )

    def computed(self) -> frozenset[str]:
        return frozenset(field.name for field in dataclasses.fields(self.cls) if not field.init)

    def field_values(self, value: Any) -> Mapping[str, Any]:
        try:
            return {name: getattr(value, name) for name in self.fields}
        except AttributeError:  # a field is not set
            return {name: getattr(value, name) for name in self.fields if hasattr(value, name)}

    def attributes(self, value: Any) -> Mapping[str, Any]:
        own = getattr(value, "__dict__", {})
        if own.keys() <= self.fields.keys() and self._slots <= self.fields.keys():
            return {}
        cls = type(value)
        fields = {field.name for field in dataclasses.fields(cls)}
        found = {name: item for name, item in own.items() if not name.startswith("__") and name not in fields}
        found |= {name: getattr(value, name) for name in self._slots - fields if hasattr(value, name)}
        return {
            name: item
            for name, item in found.items()
            if not isinstance(inspect.getattr_static(cls, name, None), functools.cached_property)
        }

    def restore(self, fields: dict[str, Any], attributes: dict[str, Any], unset: tuple[str, ...]) -> Any:
        value: Any = object.__new__(self.cls)
        own = getattr(value, "__dict__", None)
        for name, item in {**self._defaults_without(fields), **fields, **attributes}.items():
            if name in self._slots:
                object.__setattr__(value, name, item)
            elif own is not None:
                own[name] = item
        return value

    def _defaults_without(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return the defaults of the constructor's parameters that are not in ``fields``."""
        if len(fields) == len(self.fields):
            return {}
        missing = [field for field in dataclasses.fields(self.cls) if field.init and field.name not in fields]
        return {field.name: _default_of(field) for field in missing}

    def _is_descriptor(self, name: str) -> bool:
        """Return True if the class computes or stores the field by a property or another descriptor, except a slot."""
        found = inspect.getattr_static(self.cls, name, None)
        return hasattr(type(found), "__set__") and name not in self._slots

    @cached_property
    def _slots(self) -> frozenset[str]:
        """The attributes of the class and its bases that are slots."""
        names = {name for cls in self.cls.__mro__ for name in vars(cls)}
        return frozenset(
            name for name in names if isinstance(inspect.getattr_static(self.cls, name), types.MemberDescriptorType)
        )

    def _check_content(self) -> None:
        """Check that no base class has content besides attributes.

        Raises:
            UnsupportedType: a base is a class such as ``dict``.
        """
        for base in self.cls.__mro__:
            if not base.__flags__ & _HEAP_TYPE and base not in _WITHOUT_CONTENT:
                raise UnsupportedType(
                    f"{self.label} is a {base.__name__}, whose content is not in the fields of the dataclass",
                    hint=f"make the {base.__name__} a field",
                )


def _has_default(field: dataclasses.Field[Any]) -> bool:
    if isinstance(field.default, FieldInfo):  # a dataclass of pydantic
        return not field.default.is_required()
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING


def _default_of(field: dataclasses.Field[Any]) -> Any:
    """Return the default of a field. It is `dataclasses.MISSING` if the field has none."""
    if isinstance(field.default, FieldInfo):
        return field.default.get_default(call_default_factory=True)
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default
