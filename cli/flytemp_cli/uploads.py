"""Files and directories of this machine given as inputs: found, checked, and moved to where tasks can read them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flytemp_cli.failures import InputUsageError

if TYPE_CHECKING:
    from flytemp.literals.types import BlobType, Json, LiteralType
    from flytemp.spec.models import Interface
    from flytemp.store.object_store import ObjectStore

Move = Callable[[Path, str], str]
"""Takes a local path and "file" or "directory", returns the URI that takes its place."""


def move_local_files(literals: dict[str, Json], interface: Interface, move: Move) -> dict[str, Json]:
    """``literals`` with every local path in them, at any depth, replaced by what ``move`` returns for it.

    Raises:
        InputUsageError: a path does not exist, or is a directory where a file is wanted, or the reverse.
    """
    types = {variable.name: variable.type for variable in interface.inputs}
    return {name: _walk(value, types[name], name, move) for name, value in literals.items()}


def upload_to(store: ObjectStore) -> Move:
    """Copies each path to a key of the store that its content names.

    So the same launch with the same files is the same content: launching it again under its name is no conflict.
    """

    def move(path: Path, kind: str) -> str:
        from flytemp.store.raw import upload_directory, upload_file

        uri = store.uri_of(f"uploads/{_content_hash(path)[:32]}/{path.name}")
        (upload_file if kind == "file" else upload_directory)(path, uri)
        return uri

    return move


def _content_hash(path: Path) -> str:
    """sha256 of a file, or of all files of a directory with their names."""
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    whole = hashlib.sha256()
    for file_path in sorted(one for one in path.rglob("*") if one.is_file()):
        whole.update(f"{file_path.relative_to(path).as_posix()}\0{_content_hash(file_path)}\0".encode())
    return whole.hexdigest()


def stay_local(path: Path, kind: str) -> str:
    """For a run in this process: tasks read the path itself."""
    return path.as_uri()


def _walk(value: Json, type_: LiteralType, where: str, move: Move) -> Json:
    match type_.kind:
        case "file" | "directory":
            return _blob(value, type_, where, move)
        case "list" if isinstance(value, list):
            return [_walk(item, type_.item, f"{where}[{index}]", move) for index, item in enumerate(value)]
        case "tuple" if isinstance(value, list):
            return [_walk(item, part, where, move) for item, part in zip(value, type_.items, strict=True)]
        case "map" if isinstance(value, dict):
            return {key: _walk(item, type_.value, f"{where}.{key}", move) for key, item in value.items()}
        case "struct" if isinstance(value, dict):
            parts = {field.name: field.type for field in type_.fields}
            return {key: _walk(item, parts[key], f"{where}.{key}", move) if key in parts else item for key, item in value.items()}
        case "union":
            return _union(value, type_, where, move)
    return value


def _union(value: Json, type_: Any, where: str, move: Move) -> Json:
    from flytemp.errors import FlytempError
    from flytemp.literals.check import check_literal

    if isinstance(value, dict) and "$variant" in value:
        return {**value, "value": _walk(value["value"], type_.variants[value["$variant"]], where, move)}
    for variant in type_.variants:
        try:
            check_literal(value, variant)
        except FlytempError:
            continue  # not this variant: check_literal accepted the union, so another one fits
        return _walk(value, variant, where, move)
    return value


def _blob(value: Json, type_: BlobType, where: str, move: Move) -> Json:
    from flytemp.store.raw import is_remote

    uri = value["uri"] if isinstance(value, dict) else value
    if is_remote(uri):
        return value
    path = Path(uri).expanduser().absolute()
    if not path.exists():
        raise InputUsageError(f"input {where}: there is no {type_.kind} {uri}")
    if path.is_dir() != (type_.kind == "directory"):
        raise InputUsageError(f"input {where}: {uri} is a {'directory' if path.is_dir() else 'file'}, a {type_.kind} is wanted")
    moved = move(path, type_.kind)
    return {**value, "uri": moved} if isinstance(value, dict) else moved
