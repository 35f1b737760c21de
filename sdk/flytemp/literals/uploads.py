"""Files inside literals: the upload of local ones, and lists of paths and URIs."""

from __future__ import annotations

import os
from collections.abc import Callable

from flytemp.literals import types
from flytemp.literals.mismatch import Refused, with_public_errors
from flytemp.literals.recursion import Scope, definition, inside
from flytemp.literals.transfer import FileTransfer
from flytemp.literals.types import Json, LiteralType
from flytemp.literals.unions import VALUE, is_plain, plain_variant, tagged, variant_index
from flytemp.literals.visitor import PartialVisitor
from flytemp.store.keys import protocol_of

FileType = types.BlobType | types.EncodedType
"""The types whose values can be at a URI."""


def upload_local_files(literal: Json, type: LiteralType, files: FileTransfer) -> Json:  # noqa: A002
    """Upload the local files in a literal, so that a worker on another machine can read them.

    Args:
        literal: canonical, as `flytemp.literals.check.check_literal` returns it.
        type: type of the literal.
        files: where the files are uploaded to.

    Returns:
        The literal with the URIs of the uploads.

    Raises:
        TypeMismatch: a file does not exist; the message has the position inside the value.
        StoreError: an upload fails.
    """
    return with_public_errors(lambda: _ReplaceFiles(lambda value, type_: _upload(value, type_, files)).visit(type, (literal, {})))


def local_files(literal: Json, type_: LiteralType) -> list[str]:
    """Return the local paths in a canonical literal."""
    return [uri for uri in uris_in(literal, type_) if protocol_of(uri) is None]


def uris_in(literal: Json, type_: LiteralType) -> list[str]:
    """Return the URIs and local paths of the files and directories in a canonical literal."""
    found: list[str] = []

    def collect(value: Json, _: FileType) -> Json:
        found.append(value["uri"])
        return value

    _ReplaceFiles(collect).visit(type_, (literal, {}))
    return found


class _ReplaceFiles(PartialVisitor[tuple[Json, Scope], Json]):
    """Return a literal with every file's value replaced."""

    def __init__(self, replace: Callable[[Json, FileType], Json]) -> None:
        self._replace = replace

    def visit_other(self, type_: LiteralType, argument: tuple[Json, Scope]) -> Json:
        return argument[0]

    def visit_blob(self, type_: types.BlobType, argument: tuple[Json, Scope]) -> Json:
        return self._replace(argument[0], type_)

    def visit_encoded(self, type_: types.EncodedType, argument: tuple[Json, Scope]) -> Json:
        return self._replace(argument[0], type_) if "uri" in argument[0] else argument[0]

    def visit_list(self, type_: types.ListType, argument: tuple[Json, Scope]) -> Json:
        literal, scope = argument
        return [self._at(index, item, type_.item, scope) for index, item in enumerate(literal)]

    def visit_tuple(self, type_: types.TupleType, argument: tuple[Json, Scope]) -> Json:
        literal, scope = argument
        return [self._at(index, item, type_.items[index], scope) for index, item in enumerate(literal)]

    def visit_map(self, type_: types.MapType, argument: tuple[Json, Scope]) -> Json:
        literal, scope = argument
        return {key: self._at(key, item, type_.value, scope) for key, item in literal.items()}

    def visit_struct(self, type_: types.StructType, argument: tuple[Json, Scope]) -> Json:
        literal, scope = argument
        struct = definition(type_, scope)
        types = {field.name: field.type for field in struct.fields}
        within = inside(struct, scope)
        return {name: self._at(name, item, types[name], within) if name in types else item for name, item in literal.items()}

    def visit_union(self, type_: types.UnionType, argument: tuple[Json, Scope]) -> Json:
        literal, scope = argument
        if is_plain(type_):
            index = plain_variant(type_, literal)
            return literal if index is None else self.visit(type_.variants[index], argument)
        index = variant_index(type_, literal)
        return tagged(index, self.visit(type_.variants[index], (literal[VALUE], scope)))

    def _at(self, step: str | int, literal: Json, type_: LiteralType, scope: Scope) -> Json:
        try:
            return self.visit(type_, (literal, scope))
        except Refused as refused:
            raise refused.within(step) from refused.__cause__


def _upload(literal: Json, type_: FileType, files: FileTransfer) -> Json:
    if protocol_of(literal["uri"]) is not None:
        return literal
    path = os.path.expanduser(literal["uri"])
    noun = type_.kind if isinstance(type_, types.BlobType) else "file"
    if not (os.path.isfile(path) if noun == "file" else os.path.isdir(path)):
        raise _missing(path, noun)
    uploaded = files.upload_file(path, literal["format"]) if noun == "file" else files.upload_directory(path)
    return {**literal, "uri": uploaded}


def _missing(path: str, noun: str) -> Refused:
    if os.path.exists(path):
        return Refused(f"'{path}' is not a {noun}", hint=f"the input takes a {noun}")
    return Refused(f"'{path}' is not a {noun}: {os.path.abspath(path)} does not exist", hint="check the path")
