"""`TypeEngine`: the registry of type transformers under flytekit's names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar, cast

from flytemp.literals.convert import literal_type
from flytemp.literals.mismatch import with_public_errors
from flytemp.literals.registry import registry
from flytemp.literals.transformers import TransformContext, TypeTransformer
from flytemp.literals.types import Json, LiteralType

T = TypeVar("T")


class TypeEngine:
    """The type transformers of this process, of built-in types, plug-ins and programs."""

    @classmethod
    def register(cls, transformer: TypeTransformer[T], additional_types: Sequence[Any] | None = None) -> None:
        """Register a transformer for its class, for subclasses of it, and for ``additional_types``.

        The module of a task must import the module with this call, in every process that runs the task.

        Raises:
            InputError: one of the types has another transformer.
        """
        registry.register(transformer, additional_types or ())

    @classmethod
    def register_additional_type(cls, transformer: TypeTransformer[T], additional_type: Any, override: bool = False) -> None:
        """Register a transformer for one more type.

        Args:
            transformer: the transformer.
            additional_type: the class or annotation.
            override: True to replace the transformer of the type. Otherwise a type that has one keeps it.
        """
        registry.register_additional_type(transformer, additional_type, override)

    @classmethod
    def get_transformer(cls, python_type: type[T]) -> TypeTransformer[T]:
        """Return the transformer of an annotation.

        Raises:
            UnsupportedType: no transformer converts the annotation.
        """
        return cast(TypeTransformer[T], registry.transformer_for(python_type))

    @classmethod
    def get_available_transformers(cls) -> tuple[Any, ...]:
        """Return the types with a registered transformer, without those of plug-ins that are not loaded yet."""
        return registry.registered_types()

    @classmethod
    def to_literal_type(cls, python_type: Any) -> LiteralType:
        """Return the literal type of an annotation.

        Raises:
            UnsupportedType: no transformer converts the annotation.
        """
        return literal_type(python_type)

    @classmethod
    def to_literal(cls, ctx: TransformContext, python_val: Any, python_type: Any, expected: LiteralType | None = None) -> Json:
        """Return the literal of a value that must be of the annotation. ``expected`` is ignored.

        Raises:
            TypeMismatch: the value does not fit.
            LimitExceeded: bytes exceed the limit of a value.
            StoreError: a file cannot be uploaded.
        """
        adapter = registry.adapter_for(python_type)
        return with_public_errors(lambda: adapter.encode(python_val, ctx.files))

    @classmethod
    def to_python_value(cls, ctx: TransformContext, lv: Json, expected_python_type: type[T]) -> T:
        """Return the Python value of a literal.

        Raises:
            TypeMismatch: the literal is of another type.
        """
        adapter = registry.adapter_for(expected_python_type)
        return cast(T, with_public_errors(lambda: adapter.decode(lv, ctx.files)))
