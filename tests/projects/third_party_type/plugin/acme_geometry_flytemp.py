"""The conversions of acme-geometry for flytemp: a vector as a list of numbers, a picture as bytes."""

from __future__ import annotations

from acme_geometry import Picture, Vector

from flytemp.extend import EncodedType, Json, LiteralType, TransformContext, TypeEngine, TypeTransformer


class VectorTransformer(TypeTransformer[Vector]):
    def __init__(self) -> None:
        super().__init__("vector", Vector)

    def get_literal_type(self, t: type[Vector]) -> LiteralType:
        return TypeEngine.to_literal_type(list[float])

    def to_literal(self, ctx: TransformContext, python_val: Vector, python_type: type[Vector], expected: LiteralType) -> Json:
        if not python_val.values:
            raise ValueError("the vector is empty")
        return TypeEngine.to_literal(ctx, list(python_val.values), list[float], expected)

    def to_python_value(self, ctx: TransformContext, lv: Json, expected_python_type: type[Vector]) -> Vector:
        return expected_python_type(TypeEngine.to_python_value(ctx, lv, list[float]))


class PictureTransformer(TypeTransformer[Picture]):
    def __init__(self) -> None:
        super().__init__("picture", Picture)

    def get_literal_type(self, t: type[Picture]) -> LiteralType:
        return EncodedType(format="acme.picture")

    def to_literal(self, ctx: TransformContext, python_val: Picture, python_type: type[Picture], expected: LiteralType) -> Json:
        return ctx.put_bytes(python_val.width.to_bytes(4, "big") + python_val.pixels, expected)

    def to_python_value(self, ctx: TransformContext, lv: Json, expected_python_type: type[Picture]) -> Picture:
        data = ctx.get_bytes(lv)
        return expected_python_type(int.from_bytes(data[:4], "big"), data[4:])
