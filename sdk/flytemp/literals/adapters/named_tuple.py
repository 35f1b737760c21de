"""Adapter of NamedTuples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from flytemp.errors import UnsupportedType
from flytemp.literals.adapters.records import RecordAdapter, is_generated
from flytemp.literals.adapters.structs import Field, class_hints


class NamedTupleAdapter(RecordAdapter):
    """Adapter of a ``typing.NamedTuple``, or of a class that is derived from one."""

    def load_fields(self) -> Mapping[str, Field]:
        hints = class_hints(self.cls)
        names: tuple[str, ...] = cast(Any, self.cls)._fields
        defaults: Mapping[str, Any] = cast(Any, self.cls)._field_defaults
        for name in names:
            if name not in hints:
                raise UnsupportedType(
                    f"field '{name}' of {self.label} has no annotation",
                    hint="use typing.NamedTuple with annotated fields",
                )
        return {
            name: self.field(name, hints[name], required=name not in defaults, none_default=defaults.get(name, ...) is None)
            for name in names
        }

    def base_names(self) -> tuple[str, ...]:
        return tuple(base.__name__ for base in self.cls.__mro__[1:] if hasattr(base, "_fields"))

    def runs_code(self) -> bool:
        return not is_generated(self.cls.__new__) or self.cls.__init__ is not object.__init__  # type: ignore[misc]

    def field_values(self, value: Any) -> Mapping[str, Any]:
        return dict(zip(self.fields, value, strict=True))

    def attributes(self, value: Any) -> Mapping[str, Any]:
        return getattr(value, "__dict__", {})

    def restore(self, fields: dict[str, Any], attributes: dict[str, Any], unset: tuple[str, ...]) -> Any:
        defaults: Mapping[str, Any] = cast(Any, self.cls)._field_defaults
        items = {**defaults, **fields}
        value: Any = tuple.__new__(self.cls, (items[name] for name in self.fields))
        if hasattr(value, "__dict__"):
            value.__dict__.update(attributes)
        return value


def is_named_tuple(annotation: Any) -> bool:
    """Return True for a NamedTuple, or a class that is derived from one."""
    return isinstance(annotation, type) and issubclass(annotation, tuple) and hasattr(annotation, "_fields")
