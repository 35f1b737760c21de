"""Files of a caller's machine inside inputs that were given as text or JSON."""

from __future__ import annotations

import os
from collections.abc import Callable

from flytemp.literals.mismatch import Refused, explained
from flytemp.literals.recursion import Scope, definition, inside
from flytemp.literals.transfer import FileTransfer
from flytemp.literals.types import BlobType, Json, ListType, LiteralType, MapType, StructType, TupleType, UnionType
from flytemp.literals.unions import VALUE, is_plain, plain_variant, tagged, variant_index
from flytemp.store.keys import protocol_of


def upload_local_files(literal: Json, type: LiteralType, files: FileTransfer) -> Json:  # noqa: A002
    """The literal with every path of this machine uploaded, so that a worker elsewhere can read it.

    Args:
        literal: canonical, as `flytemp.literals.check.check_literal` returns it.

    Raises:
        TypeMismatch: when there is no such file, naming the place inside the value.
        StoreError: when it cannot be uploaded.
    """
    return explained(lambda: _upload(literal, type, files, {}))


def _upload(literal: Json, type_: LiteralType, files: FileTransfer, scope: Scope) -> Json:
    def at(step: str | int, item: Json, item_type: LiteralType, item_scope: Scope = scope) -> Json:
        try:
            return _upload(item, item_type, files, item_scope)
        except Refused as refused:
            raise refused.within(step) from refused.__cause__

    match type_:
        case BlobType():
            return _upload_blob(literal, type_, files)
        case ListType():
            return [at(index, item, type_.item) for index, item in enumerate(literal)]
        case TupleType():
            return [at(index, item, type_.items[index]) for index, item in enumerate(literal)]
        case MapType():
            return {key: at(key, item, type_.value) for key, item in literal.items()}
        case StructType():
            struct = definition(type_, scope)
            types = {field.name: field.type for field in struct.fields}
            inner = inside(struct, scope)
            return {name: at(name, item, types[name], inner) for name, item in literal.items()}
        case UnionType():
            return _upload_variant(literal, type_, lambda value, variant: _upload(value, variant, files, scope))
        case _:
            return literal


def _upload_variant(literal: Json, union: UnionType, upload: Callable[[Json, LiteralType], Json]) -> Json:
    if is_plain(union):
        index = plain_variant(union, literal)
        return literal if index is None else upload(literal, union.variants[index])
    index = variant_index(union, literal)
    return tagged(index, upload(literal[VALUE], union.variants[index]))


def _upload_blob(literal: Json, type_: BlobType, files: FileTransfer) -> Json:
    uri = literal["uri"]
    if protocol_of(uri) is not None:
        return literal
    path = os.path.expanduser(uri)
    if not (os.path.isfile(path) if type_.kind == "file" else os.path.isdir(path)):
        raise _missing(path, type_.kind)
    uploaded = files.upload_file(path, literal["format"]) if type_.kind == "file" else files.upload_directory(path)
    return {**literal, "uri": uploaded}


def _missing(path: str, noun: str) -> Refused:
    if os.path.exists(path):
        return Refused(f"'{path}' is not a {noun}", hint=f"the input takes a {noun}")
    return Refused(f"'{path}' is not a {noun}: there is nothing at {os.path.abspath(path)}", hint="check the path")
