"""Type transformers as a type checker sees them; see `authoring.py`."""

from __future__ import annotations

from flytemp.extend import EncodedType, Json, LiteralType, TransformContext, TypeEngine, TypeTransformer


class Vector:
    values: list[float]


class VectorTransformer(TypeTransformer[Vector]):
    def get_literal_type(self, t: type[Vector]) -> LiteralType:
        return EncodedType(format="vector")

    def to_literal(self, ctx: TransformContext, python_val: Vector, python_type: type[Vector], expected: LiteralType) -> Json:
        return ctx.put_bytes(repr(python_val.values).encode(), expected)

    def to_python_value(self, ctx: TransformContext, lv: Json, expected_python_type: type[Vector]) -> Vector:
        return expected_python_type()


transformer = VectorTransformer("vector", Vector)
TypeEngine.register(transformer)
found: TypeTransformer[Vector] = TypeEngine.get_transformer(Vector)
vector: Vector = TypeEngine.to_python_value(TransformContext(), [], Vector)

VectorTransformer("vector", int)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
TypeEngine.register(Vector)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
number: int = TypeEngine.to_python_value(TransformContext(), [], Vector)  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
