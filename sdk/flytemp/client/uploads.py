"""Uploads of local files and directories that are given as inputs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from flytemp.errors import FlytempError, InputError
from flytemp.literals.check import check_literal
from flytemp.literals.transfer import RawDataTransfer
from flytemp.literals.types import Json
from flytemp.literals.uploads import upload_local_files
from flytemp.spec.models import Interface
from flytemp.store.object_store import ObjectStore


class ContentUploads(RawDataTransfer):
    """Transfer that copies each path to a key in the store that is derived from its content.

    A repeated launch with the same files therefore has the same inputs, and is accepted under the same name.
    """

    own_folder: ClassVar[bool] = True

    def __init__(self, store: ObjectStore) -> None:
        super().__init__(store.uri_of("uploads"), Path())

    def upload_file(self, local: str, format: str = "", target: str | None = None) -> str:  # noqa: A002
        return super().upload_file(local, format, target or self._place(local))

    def upload_directory(self, local: str, target: str | None = None) -> str:
        return super().upload_directory(local, target or self._place(local))

    def _place(self, local: str) -> str:
        path = Path(local).absolute()
        return f"{self.raw_data_prefix.rstrip('/')}/{_content_hash(path)[:32]}/{path.name}"


class LocalPaths(RawDataTransfer):
    """Transfer for a run in this process: nothing is copied, and tasks read the local path."""

    def __init__(self) -> None:
        super().__init__("", Path())

    def upload_file(self, local: str, format: str = "", target: str | None = None) -> str:  # noqa: A002
        return f"file://{Path(local).absolute()}"

    def upload_directory(self, local: str, target: str | None = None) -> str:
        return f"file://{Path(local).absolute()}"


def upload_inputs(literals: Mapping[str, Json], interface: Interface, store: ObjectStore) -> dict[str, Json]:
    """Return ``literals`` with every local path in them copied into the store.

    Unknown inputs are returned unchanged; `merge_inputs` reports them.

    Args:
        literals: the caller's inputs.
        interface: the interface of the launched entity.
        store: the store to copy to.

    Raises:
        InputError: a value has the wrong type, or a path does not exist.
        StoreError: a file cannot be copied.
    """
    types = {variable.name: variable.type for variable in interface.inputs}
    uploads = ContentUploads(store)
    moved = dict(literals)
    for name in moved.keys() & types.keys():
        try:
            moved[name] = upload_local_files(check_literal(moved[name], types[name]), types[name], uploads)
        except FlytempError as error:
            if not isinstance(error, InputError):
                raise
            raise InputError(f"input {name!r}: {error.message}", hint=error.hint) from error
    return moved


def _content_hash(path: Path) -> str:
    """Return the sha256 of a file, or of a directory's files and their names."""
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    whole = hashlib.sha256()
    for file_path in sorted(one for one in path.rglob("*") if one.is_file()):
        whole.update(f"{file_path.relative_to(path).as_posix()}\0{_content_hash(file_path)}\0".encode())
    return whole.hexdigest()
