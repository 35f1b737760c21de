"""Names for extending flytemp: type transformers, and the types of their literals."""

from typing import TYPE_CHECKING

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
from flytemp.porting.finder import other_names

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

if not TYPE_CHECKING:
    __getattr__ = other_names(__name__)
