"""Types of a spec's inputs and outputs, and the plain JSON form of the values of each.

======================  =====================================================================================
kind                    JSON form of a value
======================  =====================================================================================
none                    ``null``
boolean                 ``true`` / ``false``
integer                 a number without a fraction, within 64 bits signed; never changed to a float
float                   a number; ``"NaN"``, ``"Infinity"``, ``"-Infinity"`` as text
string                  text
datetime                RFC 3339 text in UTC, ``2026-01-31T12:00:00Z`` (an input may have any offset)
date                    ``2026-01-31``
duration                ISO 8601 text, ``PT1H30M`` (an input may also be a number of seconds)
bytes                   base64 text
enum                    the member's value (text, integer, float or boolean)
list                    an array
tuple                   an array with one item per declared type
map                     an object; keys that are not text are written as their JSON text
struct                  an object: a dataclass, pydantic model, TypedDict or NamedTuple used as a value; the member
                        ``$flytemp`` is described in `flytemp.literals.marks`
union                   the form of the value's own variant if the variants' JSON forms differ (``int | str``,
                        ``Optional[float]``), else ``{"$variant": <index>, "value": …}``
file, directory         ``{"uri": …, "format": …}`` (an input may also be the uri alone, or have "path" for "uri")
encoded                 ``{"format": …, "bytes": <base64>}`` or, for large values, ``{"format": …, "uri": …}``
any                     any JSON: an untyped ``dict`` or ``list``
======================  =====================================================================================
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

Json: TypeAlias = Any
"""A JSON value: None, bool, int, float, str, list or dict with text keys."""


class SchemaModel(BaseModel):
    """Base of every stored model. A model is immutable, and an unknown field is an error instead of a silent loss."""

    model_config = ConfigDict(frozen=True, extra="forbid")


SimpleKind: TypeAlias = Literal["none", "boolean", "integer", "float", "string", "datetime", "date", "duration", "bytes", "any"]


class SimpleType(SchemaModel):
    """A type without parts."""

    kind: SimpleKind


class EnumType(SchemaModel):
    """An ``Enum`` or ``typing.Literal``: one of ``values``. ``members`` has the names of an ``Enum``'s members."""

    kind: Literal["enum"] = "enum"
    name: str
    values: tuple[str | bool | int | float, ...]
    members: tuple[str, ...] = ()


class ListType(SchemaModel):
    kind: Literal["list"] = "list"
    item: LiteralType


class TupleType(SchemaModel):
    kind: Literal["tuple"] = "tuple"
    items: tuple[LiteralType, ...]


class MapType(SchemaModel):
    kind: Literal["map"] = "map"
    key: LiteralType
    value: LiteralType


class StructField(SchemaModel):
    name: str
    type: LiteralType
    required: bool = True


class StructType(SchemaModel):
    """A record with named fields. Inside a type that contains itself, the inner occurrence is ``recursive`` without fields.

    ``bases`` has the names of the class's base classes that have fields. A value also fits where one of these is expected.
    """

    kind: Literal["struct"] = "struct"
    name: str
    fields: tuple[StructField, ...] = ()
    recursive: bool = False
    bases: tuple[str, ...] = ()


class UnionType(SchemaModel):
    """One of ``variants``, which are in a canonical order, because Python treats ``int | str`` and ``str | int`` as equal."""

    kind: Literal["union"] = "union"
    variants: tuple[LiteralType, ...]


class BlobType(SchemaModel):
    """A file or a directory in a store; ``format`` is a hint such as "csv", or empty."""

    kind: Literal["file", "directory"]
    format: str = ""


class EncodedType(SchemaModel):
    """A value in an encoding that only its Python type reads. ``format`` names the encoding, such as "numpy.npy".

    The type of values that a `TypeTransformer` writes as bytes.
    """

    kind: Literal["encoded"] = "encoded"
    format: str = Field(min_length=1)


LiteralType: TypeAlias = Annotated[
    SimpleType | EnumType | ListType | TupleType | MapType | StructType | UnionType | BlobType | EncodedType,
    Field(discriminator="kind"),
]

for _model in (ListType, TupleType, MapType, StructField, StructType, UnionType):
    _model.model_rebuild()
