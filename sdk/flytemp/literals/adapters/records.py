"""Base of the adapters of classes with fields, which restore values without code of the class."""

from __future__ import annotations

import pickle
from abc import abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from typing import Any

from flytemp.literals.adapters.base import Adapter
from flytemp.literals.adapters.scalars import AnyAdapter
from flytemp.literals.adapters.structs import StructAdapter
from flytemp.literals.check import check_fields
from flytemp.literals.marks import MARK, Mark
from flytemp.literals.mismatch import Refused
from flytemp.literals.transfer import FileTransfer
from flytemp.literals.types import Json

_ABSENT = object()
_GENERATED = "<string>"  # the file name of the methods that `dataclasses` and `collections` generate


class RecordAdapter(StructAdapter):
    """Adapter of a dataclass, a NamedTuple or a pydantic model.

    A value that the constructor would recreate from its fields has a literal with the fields only. Any other literal has a
    `Mark`, and its value is restored without the constructor.
    """

    @abstractmethod
    def base_names(self) -> tuple[str, ...]:
        """Return the names of the class's bases that have fields, the nearest first."""

    @abstractmethod
    def runs_code(self) -> bool:
        """Return True if the constructor runs code of the class, or sets fields by itself."""

    @abstractmethod
    def attributes(self, value: Any) -> Mapping[str, Any]:
        """Return the attributes of a value that are not fields."""

    @abstractmethod
    def restore(self, fields: dict[str, Any], attributes: dict[str, Any], unset: tuple[str, ...]) -> Any:
        """Return a value with the given fields and attributes, without running code of the class."""

    def unset(self, value: Any) -> tuple[str, ...]:
        """Return the fields that were not given to the constructor, if the value distinguishes them."""
        return ()

    def has_constant_default(self, name: str) -> bool:
        """Return True if every value whose field is not set has the same value in the field."""
        return False

    def computed(self) -> frozenset[str]:
        """Return the fields that are not parameters of the constructor."""
        return frozenset()

    def attribute_adapter(self, name: str) -> Adapter:
        """Return the adapter of an attribute that is not a field."""
        return AnyAdapter()

    @cached_property
    def bases(self) -> tuple[str, ...]:
        return self.base_names()

    @cached_property
    def _is_always_marked(self) -> bool:
        return bool(self.bases) or self.runs_code()

    @cached_property
    def _computed(self) -> frozenset[str]:
        return self.computed()

    def encode(self, value: Any, files: FileTransfer | None) -> Json:
        encoded = super().encode(value, files)
        mark = self._mark_of(value, files)
        if mark is not None:
            encoded[MARK] = mark.to_json()
        return encoded

    def decode(self, literal: Json, files: FileTransfer | None) -> Any:
        mark = check_fields(literal, self.label, self.required)
        fields = self.decode_fields(literal, files)
        if mark is None or mark.needs_constructor:
            return self._construct(fields)
        attributes = {name: self.attribute_adapter(name).decode(item, files) for name, item in mark.attributes.items()}
        restored = self.restore(fields, attributes, mark.unset)
        if mark.launched:
            omitted = {name for name in mark.unset if self.has_constant_default(name)}
            given = {name: item for name, item in fields.items() if name not in omitted and name not in self._computed}
            changed = self._difference(self.build_checked(given), restored)
            if changed is not None:
                raise Refused(
                    f"{self.label} changes '{changed}' when the value is created again from its fields, as a launch does",
                    hint="pass the arguments of the constructor as JSON, or create the value in a task",
                )
        return restored

    def _mark_of(self, value: Any, files: FileTransfer | None) -> Mark | None:
        attributes, unset = self.attributes(value), self.unset(value)
        if not (self._is_always_marked or attributes or unset):
            return None
        names = (self.label, *self.bases)
        encoded: dict[str, Json] = {}
        for name, item in attributes.items():
            try:
                encoded[name] = self.attribute_adapter(name).encode(item, files)
            except Refused as refused:
                self._check_constructor(value, name, refused)
                return Mark(names, needs_constructor=True)
        return Mark(names, unset, encoded)

    def _construct(self, fields: dict[str, Any]) -> Any:
        """Return the value that the constructor creates. Computed fields that are given must be those of the value."""
        value = self.build_checked({name: item for name, item in fields.items() if name not in self._computed})
        for name in self._computed & fields.keys():
            if getattr(value, name, _ABSENT) != fields[name]:
                raise Refused(f"{self.label} computes the field '{name}', with another value", hint=f"leave out '{name}'")
        return value

    def _check_constructor(self, value: Any, attribute: str, refused: Refused) -> None:
        """Check that the constructor creates a value again whose attribute has no literal.

        Raises:
            Refused: the constructor creates another value.
        """
        given = self.field_values(value)
        try:
            again = self.build_checked({name: item for name, item in given.items() if name not in self._computed})
            changed = self._difference(again, value)
        except Refused:
            changed = attribute
        if changed is not None:
            raise Refused(
                f"the attribute '{attribute}' of {self.label} has no literal: {refused.message}",
                hint=f"make it a field of a supported type; the constructor cannot create it again, because '{changed}' differs",
            )

    def _difference(self, one: Any, other: Any) -> str | None:
        """Return the name of a field or attribute in which two values differ, or None if they are equal."""
        left, right = self.field_values(one), self.field_values(other)
        for name, field in self.fields.items():
            if (name in left) != (name in right):
                return name
            if name in left and _literal(field.adapter, left[name]) != _literal(field.adapter, right[name]):
                return name
        left, right = self.attributes(one), self.attributes(other)
        for name in [*left, *right]:
            if name not in left or name not in right or type(left[name]) is not type(right[name]):
                return name
            literals = [_literal(self.attribute_adapter(name), item) for item in (left[name], right[name])]
            if literals[0] != literals[1] or (literals[0] is None and not _are_alike(left[name], right[name])):
                return name
        return None


def is_generated(method: Any) -> bool:
    """Return True if the standard library generated the method for a dataclass or NamedTuple."""
    code = getattr(method, "__code__", None)
    return code is not None and code.co_filename == _GENERATED


def _literal(adapter: Adapter, value: Any) -> Json:
    """Return the literal of a value, or None if it has none."""
    try:
        return adapter.encode(value, None)
    except Refused:
        return None


def _are_alike(left: Any, right: Any) -> bool:
    """Return True if two values of one class are equal, or have no content that can be compared, such as locks."""
    with suppress(Exception):  # a class's own comparison may raise anything; arrays do
        if left == right:
            return True
    try:
        return pickle.dumps(left) == pickle.dumps(right)
    except Exception:  # noqa: BLE001 - an object that cannot be pickled may raise anything
        return True
