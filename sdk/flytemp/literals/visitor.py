"""Visitors of `LiteralType`: everything that depends on the kind of a type.

A new kind adds a method to `TypeVisitor`. The type checker then lists every complete visitor that lacks the method.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Generic, TypeVar, assert_never

from flytemp.literals import types
from flytemp.literals.types import LiteralType

Argument = TypeVar("Argument")
Result = TypeVar("Result")


class TypeVisitor(ABC, Generic[Argument, Result]):
    """Function of a type, and of an argument, with one method per kind of type."""

    def visit(self, type_: LiteralType, argument: Argument) -> Result:
        """Call the method of the type's kind."""
        match type_:
            case types.SimpleType():
                return self.visit_simple(type_, argument)
            case types.ListType():
                return self.visit_list(type_, argument)
            case types.StructType():
                return self.visit_struct(type_, argument)
            case types.UnionType():
                return self.visit_union(type_, argument)
            case types.MapType():
                return self.visit_map(type_, argument)
            case types.TupleType():
                return self.visit_tuple(type_, argument)
            case types.EnumType():
                return self.visit_enum(type_, argument)
            case types.BlobType():
                return self.visit_blob(type_, argument)
            case types.EncodedType():
                return self.visit_encoded(type_, argument)
            case _:
                assert_never(type_)

    @abstractmethod
    def visit_simple(self, type_: types.SimpleType, argument: Argument) -> Result: ...

    @abstractmethod
    def visit_enum(self, type_: types.EnumType, argument: Argument) -> Result: ...

    @abstractmethod
    def visit_list(self, type_: types.ListType, argument: Argument) -> Result: ...

    @abstractmethod
    def visit_tuple(self, type_: types.TupleType, argument: Argument) -> Result: ...

    @abstractmethod
    def visit_map(self, type_: types.MapType, argument: Argument) -> Result: ...

    @abstractmethod
    def visit_struct(self, type_: types.StructType, argument: Argument) -> Result: ...

    @abstractmethod
    def visit_union(self, type_: types.UnionType, argument: Argument) -> Result: ...

    @abstractmethod
    def visit_blob(self, type_: types.BlobType, argument: Argument) -> Result: ...

    @abstractmethod
    def visit_encoded(self, type_: types.EncodedType, argument: Argument) -> Result: ...


class PartialVisitor(TypeVisitor[Argument, Result]):
    """Visitor that treats most kinds alike: a kind without a method of its own goes to `visit_other`."""

    @abstractmethod
    def visit_other(self, type_: LiteralType, argument: Argument) -> Result: ...

    def visit_simple(self, type_: types.SimpleType, argument: Argument) -> Result:
        return self.visit_other(type_, argument)

    def visit_enum(self, type_: types.EnumType, argument: Argument) -> Result:
        return self.visit_other(type_, argument)

    def visit_list(self, type_: types.ListType, argument: Argument) -> Result:
        return self.visit_other(type_, argument)

    def visit_tuple(self, type_: types.TupleType, argument: Argument) -> Result:
        return self.visit_other(type_, argument)

    def visit_map(self, type_: types.MapType, argument: Argument) -> Result:
        return self.visit_other(type_, argument)

    def visit_struct(self, type_: types.StructType, argument: Argument) -> Result:
        return self.visit_other(type_, argument)

    def visit_union(self, type_: types.UnionType, argument: Argument) -> Result:
        return self.visit_other(type_, argument)

    def visit_blob(self, type_: types.BlobType, argument: Argument) -> Result:
        return self.visit_other(type_, argument)

    def visit_encoded(self, type_: types.EncodedType, argument: Argument) -> Result:
        return self.visit_other(type_, argument)


def nested_types(type_: LiteralType) -> Iterator[LiteralType]:
    """Iterate over the type and every type inside it."""
    yield type_
    for part in _PARTS.visit(type_, None):
        yield from nested_types(part)


class _Parts(PartialVisitor[None, tuple[LiteralType, ...]]):
    """The types directly inside a type."""

    def visit_other(self, type_: LiteralType, argument: None) -> tuple[LiteralType, ...]:
        return ()

    def visit_list(self, type_: types.ListType, argument: None) -> tuple[LiteralType, ...]:
        return (type_.item,)

    def visit_tuple(self, type_: types.TupleType, argument: None) -> tuple[LiteralType, ...]:
        return type_.items

    def visit_map(self, type_: types.MapType, argument: None) -> tuple[LiteralType, ...]:
        return (type_.key, type_.value)

    def visit_struct(self, type_: types.StructType, argument: None) -> tuple[LiteralType, ...]:
        return tuple(field.type for field in type_.fields)

    def visit_union(self, type_: types.UnionType, argument: None) -> tuple[LiteralType, ...]:
        return type_.variants


_PARTS = _Parts()
