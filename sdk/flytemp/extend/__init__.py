"""Names for extending flytemp: type transformers, and the types of their literals."""

from flytemp.literals.file_access import FileAccess
from flytemp.literals.transformers import TransformContext, TypeTransformer
from flytemp.literals.type_engine import TypeEngine
from flytemp.literals.types import (
    BlobType,
    EncodedType,
    EnumType,
    ListType,
    LiteralType,
    MapType,
    SimpleType,
    StructField,
    StructType,
    TupleType,
    UnionType,
)
from flytemp.literals.types import Json as Json

__all__ = [
    "BlobType",
    "EncodedType",
    "EnumType",
    "FileAccess",
    "ListType",
    "LiteralType",
    "MapType",
    "SimpleType",
    "StructField",
    "StructType",
    "TransformContext",
    "TupleType",
    "TypeEngine",
    "TypeTransformer",
    "UnionType",
]
