"""Files and directories of this machine given as inputs: moved to where tasks can read them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from flytemp.errors import TypeMismatch
from flytemp.literals.transfer import FileTransfer, RawDataTransfer
from flytemp.literals.uploads import upload_local_files
from flytemp_cli.failures import InputUsageError

if TYPE_CHECKING:
    from flytemp.literals.types import Json
    from flytemp.spec.models import Interface
    from flytemp.store.object_store import ObjectStore


def move_local_files(literals: dict[str, Json], interface: Interface, files: FileTransfer) -> dict[str, Json]:
    """``literals`` with every local path in them, at any depth, replaced by the URI that ``files`` gives it.

    Raises:
        InputUsageError: a path does not exist, or is a directory where a file is wanted, or the reverse.
        StoreError: it cannot be uploaded.
    """
    types = {variable.name: variable.type for variable in interface.inputs}
    moved = {}
    for name, value in literals.items():
        try:
            moved[name] = upload_local_files(value, types[name], files)
        except TypeMismatch as error:
            raise InputUsageError(f"--{name.replace('_', '-')}: {error.message}", hint=error.hint) from error
    return moved


class ContentUploads(RawDataTransfer):
    """Copies each path to a place that its content names.

    So the same launch with the same files is the same content: launching it again under its name is no conflict.
    """

    def __init__(self, store: ObjectStore) -> None:
        super().__init__(store.uri_of("uploads"), Path())

    def upload_file(self, local: str, format: str = "", target: str | None = None) -> str:  # noqa: A002
        return super().upload_file(local, format, target or self._place(local))

    def upload_directory(self, local: str, target: str | None = None) -> str:
        return super().upload_directory(local, target or self._place(local))

    def _place(self, local: str) -> str:
        path = Path(local).absolute()
        return f"{self.raw_data_prefix.rstrip('/')}/{_content_hash(path)[:32]}/{path.name}"


class StayLocal(RawDataTransfer):
    """For a run in this process: nothing is copied, tasks read the path itself."""

    def __init__(self) -> None:
        super().__init__("", Path())

    def upload_file(self, local: str, format: str = "", target: str | None = None) -> str:  # noqa: A002
        return Path(local).absolute().as_uri()

    def upload_directory(self, local: str, target: str | None = None) -> str:
        return Path(local).absolute().as_uri()


def _content_hash(path: Path) -> str:
    """sha256 of a file, or of all files of a directory with their names."""
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    whole = hashlib.sha256()
    for file_path in sorted(one for one in path.rglob("*") if one.is_file()):
        whole.update(f"{file_path.relative_to(path).as_posix()}\0{_content_hash(file_path)}\0".encode())
    return whole.hexdigest()
