"""Files of the inputs and outputs of a container's command, in the form that `ContainerSpec` describes.

This module does not depend on where the command runs. The folders are volumes that the command shares with the caller.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flytemp.errors import FlytempBug, InputError, InvalidName, LimitExceeded, NotFound, TypeMismatch
from flytemp.literals.check import check_external
from flytemp.literals.marks import without_marks
from flytemp.literals.sizes import MAX_DEPTH, MAX_LITERAL_BYTES, check_size
from flytemp.literals.text import parse_text
from flytemp.literals.transfer import FileTransfer
from flytemp.literals.types import BlobType, EnumType, Json, LiteralType, SimpleType, UnionType
from flytemp.literals.unions import VALUE, VARIANT, is_plain, is_tagged, plain_variant, tagged
from flytemp.spec.containers import INPUT_TEMPLATE, file_kind, inputs_file
from flytemp.spec.models import ContainerSpec, Interface, Variable
from flytemp.store import raw
from flytemp.store.irregular import kind_of

_JSON_KINDS = frozenset({"list", "tuple", "map", "struct", "any"})


def substitute(texts: Sequence[str], literals: Mapping[str, Json], interface: Interface) -> list[str]:
    """Return a command or its arguments with the texts of the inputs in place of ``{{.inputs.name}}``; null is an empty text.

    Templates in the value of an input are not replaced.

    Raises:
        InputError: a template names an unknown input, or one that is a file, a directory or bytes.
    """
    known = {variable.name: variable for variable in interface.inputs}

    def text(name: str) -> str:
        if name not in known:
            raise InputError(f"the command names the input '{name}', which it does not have", hint=f"inputs: {', '.join(known)}")
        type_, literal = plain_literal(known[name], literals)
        if isinstance(type_, BlobType) or type_.kind == "bytes":
            raise InputError(f"the command has the input '{name}' in it, which is not text", hint="use the path of its file")
        return "" if literal is None else literal_text(type_, literal)

    return [INPUT_TEMPLATE.sub(lambda match: text(match[1]), each) for each in texts]


def write_inputs(literals: Mapping[str, Json], interface: Interface, folder: Path, container: ContainerSpec) -> None:
    """Write the inputs as files into ``folder``, which the command has as ``container.input_data_dir``.

    Files and directories are downloaded. An existing file is replaced.

    Raises:
        NotFound: the file of an input does not exist.
        StoreError: it cannot be downloaded, or the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    overview: dict[str, Json] = {}
    for variable in interface.inputs:
        literal = _literal_of(variable, literals)
        overview[variable.name] = literal
        type_, value = _variant(variable.type, literal)
        if value is None:
            continue
        _write(_path(folder, variable), type_, value)
        if isinstance(type_, BlobType):
            overview[variable.name] = f"{container.input_data_dir}/{variable.name}"
    (folder / inputs_file(container)).write_text(_overview(overview, container), encoding="utf-8")


def read_outputs(interface: Interface, folder: Path, transfer: FileTransfer) -> dict[str, Json]:
    """Return the literals of the outputs in ``folder``; files and directories are uploaded.

    Raises:
        NotFound: outputs have no file; the message lists all of them.
        TypeMismatch: a file does not fit the type of its output.
        LimitExceeded: a value is larger than the limit of values.
        InputError: a link leads out of the folder.
        StoreError: an upload fails.
    """
    paths = {variable.name: _path(folder, variable) for variable in interface.outputs}
    missing = [v.name for v in interface.outputs if not os.path.lexists(paths[v.name]) and not _may_be_null(v.type)]
    if missing:
        found = ", ".join(sorted(path.name for path in folder.iterdir())) if folder.is_dir() else ""
        raise NotFound(
            f"the command left no file for {_outputs(missing)} in {folder}",
            hint=f"write each output to the file of its name there; there is {found or 'nothing'}",
        )
    return {variable.name: read_output(variable, paths[variable.name], transfer) for variable in interface.outputs}


def read_output(variable: Variable, path: Path, transfer: FileTransfer | None) -> Json:
    """Return the literal of one output. A file or directory is uploaded; without a ``transfer`` its URI is its local path.

    Raises:
        NotFound: the file is missing, and the output's type does not include null.
        InputError, StoreError: as `read_outputs`.
    """
    if not os.path.lexists(path) and not _may_be_null(variable.type):
        raise NotFound(f"there is no file for the output {variable.name!r} at {path}", hint="write the output to that file")
    try:
        literal = _read(path, variable.type, transfer) if os.path.lexists(path) else None
        return check_size(variable.name, check_external(literal, variable.type))
    except InputError as error:
        raise type(error)(f"{_outputs([variable.name])}, {path}: {error.message}", hint=error.hint) from error


# ------------------------------------------------------------------------------------------- inputs


def _literal_of(variable: Variable, literals: Mapping[str, Json]) -> Json:
    if variable.name in literals:
        return literals[variable.name]
    if variable.required:
        raise FlytempBug(f"the container's input {variable.name!r} was not given")
    return variable.default


def _variant(type_: LiteralType, literal: Json) -> tuple[LiteralType, Json]:
    """Return the variant of a union that a value has, and the value without the tag."""
    if not isinstance(type_, UnionType) or literal is None:
        return type_, literal
    plain = is_plain(type_)
    index = plain_variant(type_, literal) if plain else literal[VARIANT] if is_tagged(literal) else None
    if index is None:
        raise FlytempBug("a value is none of its type's variants")
    return _variant(type_.variants[index], literal if plain else literal[VALUE])


def _write(path: Path, type_: LiteralType, value: Any) -> None:
    if isinstance(type_, BlobType):
        move = raw.download_file if type_.kind == "file" else raw.download_directory
        move(value["uri"], path)
    elif type_.kind == "bytes":
        path.write_bytes(base64.b64decode(value))
    else:
        path.write_text(literal_text(type_, value), encoding="utf-8", newline="")


def plain_literal(variable: Variable, literals: Mapping[str, Json]) -> tuple[LiteralType, Json]:
    """Return the literal of an input without the tag of a union, and the type that it has."""
    return _variant(variable.type, _literal_of(variable, literals))


def literal_text(type_: LiteralType, value: Json) -> str:
    """Return a value that is neither null nor a file as text: a text as it is, any other value as JSON without quotes."""
    if isinstance(value, str) and type_.kind not in _JSON_KINDS:
        return value
    return json.dumps(without_marks(value), ensure_ascii=False, separators=(",", ":"))


def _overview(inputs: dict[str, Json], container: ContainerSpec) -> str:
    inputs = {name: without_marks(value) for name, value in inputs.items()}
    if container.metadata_format == "json":
        return json.dumps(inputs, ensure_ascii=False, indent=2) + "\n"
    import yaml

    return str(yaml.safe_dump(inputs, allow_unicode=True, sort_keys=False))


# ------------------------------------------------------------------------------------------ outputs


def _may_be_null(type_: LiteralType) -> bool:
    return type_.kind == "none" or (isinstance(type_, UnionType) and any(v.kind == "none" for v in type_.variants))


def _read(path: Path, type_: LiteralType, transfer: FileTransfer | None) -> Json:
    """Return the literal of the file or directory at ``path``."""
    if isinstance(type_, UnionType):
        variants = [index for index, variant in enumerate(type_.variants) if variant.kind != "none"]
        if len(variants) == 1:
            literal = _read(path, type_.variants[variants[0]], transfer)
            return literal if is_plain(type_) else tagged(variants[0], literal)
        if file_kind(type_) is not None:
            raise InputError("the type of the file is ambiguous", hint="declare one type")
    _check_links(path)
    if isinstance(type_, BlobType):
        return _upload(path, type_, transfer)
    content = _content(path)
    if type_.kind == "bytes":
        return base64.b64encode(content).decode()
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise TypeMismatch(f"it is not text in UTF-8: {error.reason} at byte {error.start}", hint="declare it as bytes") from None
    return _value(text, type_)


def _value(text: str, type_: LiteralType) -> Json:
    if type_.kind == "string":
        # The newline that `echo` adds is not part of the text. Use a file for a text that ends with a newline.
        return text.removesuffix("\r\n" if text.endswith("\r\n") else "\n")
    if isinstance(type_, SimpleType | EnumType | UnionType) and type_.kind not in _JSON_KINDS:
        return parse_text(text.strip(), type_)
    try:
        return json.loads(text)
    except ValueError as error:
        raise TypeMismatch(f"it is not JSON: {error}", hint="write a list, a map or a record as JSON") from None
    except RecursionError:
        raise LimitExceeded(f"the JSON is nested more than {MAX_DEPTH} levels deep") from None


def _content(path: Path) -> bytes:
    if not path.is_file():
        what = kind_of(str(path)) or "missing"
        raise TypeMismatch(f"it is {what}, not a file", hint="write the value of this output into a file")
    size = path.stat().st_size
    if size > MAX_LITERAL_BYTES:
        raise LimitExceeded(
            f"it measures {size / 2**20:.1f} MiB; at most {MAX_LITERAL_BYTES // 2**20} MiB are possible as a value",
            hint="declare it as FlyteFile",
        )
    return path.read_bytes()


def _upload(path: Path, type_: BlobType, transfer: FileTransfer | None) -> Json:
    if not (path.is_file() if type_.kind == "file" else path.is_dir()):
        what = kind_of(str(path)) or "missing"
        raise TypeMismatch(f"it is {what}, not a {type_.kind}", hint=f"the output is declared as a {type_.kind}")
    if transfer is None:
        return {"uri": os.path.abspath(path), "format": type_.format}
    if type_.kind == "file":
        return {"uri": transfer.upload_file(str(path), type_.format), "format": type_.format}
    return {"uri": transfer.upload_directory(str(path)), "format": type_.format}


def _check_links(path: Path) -> None:
    """Refuse links, except to files in the folder. Other links could lead to files of the reader, or to themselves."""
    root = path.parent.resolve()
    inside = [Path(folder, name) for folder, folders, names in os.walk(path) for name in (*folders, *names)]
    for each in (path, *inside):
        if each.is_symlink() and not (each.is_file() and each.resolve().is_relative_to(root)):
            message = f"the link {each} leads to {os.readlink(each)}, which is not a file in the folder"
            raise InputError(message, hint="copy the data instead of linking to it")


def _outputs(names: Sequence[str]) -> str:
    noun = "output" if len(names) == 1 else "outputs"
    return f"the {noun} {', '.join(map(repr, names))}"


def _path(folder: Path, variable: Variable) -> Path:
    if "/" in variable.name or variable.name in ("", ".", ".."):
        raise InvalidName(f"{variable.name!r} cannot name a file", hint="rename the variable")
    return folder / variable.name
