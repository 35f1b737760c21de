"""Adapters of files and directories."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from flytemp.errors import TypeMismatch
from flytemp.literals.adapters.base import Adapter, Fit
from flytemp.literals.check import check_blob
from flytemp.literals.mismatch import Refused
from flytemp.literals.transfer import FileTransfer, last_part
from flytemp.literals.types import BlobType, Json, LiteralType
from flytemp.store.irregular import kind_of
from flytemp.store.keys import protocol_of
from flytemp.types.blob import Blob, read_only


class BlobAdapter(Adapter):
    """Adapter of ``FlyteFile``, ``FlyteDirectory``, their formats, and ``os.PathLike``, which is read as a ``FlyteFile``."""

    def __init__(self, cls: type[Blob[Any]], kind: Literal["file", "directory"], label: str) -> None:
        self._cls = cls
        self._blob_type = BlobType(kind=kind, format=cls.blob_format)
        self.kind = kind
        self.label = label

    @property
    def expected(self) -> str:
        return str(self._cls)

    def describe(self, around: tuple[Adapter, ...]) -> LiteralType:
        return self._blob_type

    def fits(self, value: Any) -> Fit:
        if isinstance(value, Blob):
            if not isinstance(value, self._cls._base):
                return Fit.NO
            if value.blob_format == self._cls.blob_format:
                return Fit.EXACT
            return Fit.NO if value.blob_format and self._cls.blob_format else Fit.LOOSE
        return Fit.LOOSE if isinstance(value, str | os.PathLike) else Fit.NO

    def encode(self, value: Any, files: FileTransfer | None) -> Json:
        if isinstance(value, Blob) and self.fits(value) is Fit.NO:
            raise self.mismatch(value)
        try:
            blob = value if isinstance(value, Blob) else self._cls(value)
        except TypeMismatch as error:
            raise Refused(error.message, hint=error.hint) from None
        copies = isinstance(value, Path) or (self.kind == "directory" and isinstance(value, str))  # as in flytekit
        uri = blob.remote_source or _location(blob, self._blob_type, files, copies=copies)
        return check_blob({"uri": uri, "format": self._cls.blob_format or blob.blob_format}, self._blob_type)

    def decode(self, literal: Json, files: FileTransfer | None) -> Any:
        blob = check_blob(literal, self._blob_type)
        uri: str = blob["uri"]
        local = files.download_path(uri) if files is not None and protocol_of(uri) is not None else None
        return read_only(self._cls, uri, blob["format"], local)


class PathAdapter(Adapter):
    """Adapter of ``pathlib.Path``, a file. A remote file is downloaded when the inputs of the task are read."""

    kind = "file"
    label = "Path"

    def __init__(self, file: BlobAdapter) -> None:
        self._file = file

    def describe(self, around: tuple[Adapter, ...]) -> LiteralType:
        return self._file.describe(around)

    def fits(self, value: Any) -> Fit:
        return Fit.EXACT if isinstance(value, Path) else Fit.LOOSE if isinstance(value, str) else Fit.NO

    def encode(self, value: Any, files: FileTransfer | None) -> Json:
        if not isinstance(value, Path | str):
            raise self.mismatch(value)
        try:
            return self._file.encode(value, files)
        except Refused as refused:
            refused.hint = f"{refused.hint or 'give the path of a file'}; declare it as str to pass only the path"
            raise

    def decode(self, literal: Json, files: FileTransfer | None) -> Any:
        return Path(self._file.decode(literal, files).download())


def _location(blob: Blob[Any], type_: BlobType, files: FileTransfer | None, *, copies: bool) -> str:
    """Return the URI of a local file or directory.

    Args:
        blob: the local file or directory.
        type_: the type of the value.
        files: uploads the file; None returns the path.
        copies: copy the file even if ``files`` would keep its path, because the user may change the file later.
    """
    if files is None:
        return blob.location
    local = blob.download()
    if not (os.path.isfile(local) if type_.kind == "file" else os.path.isdir(local)):
        raise _missing(local, type_)
    if blob.remote_path is False:
        return os.path.abspath(local)
    target = blob.remote_path or (files.fresh_uri(last_part(os.path.abspath(local))) if copies else None)
    if type_.kind == "file":
        return files.upload_file(local, type_.format or blob.blob_format, target)
    return files.upload_directory(local, target)


def _missing(local: str, type_: BlobType) -> Refused:
    kind = kind_of(local)
    if kind is not None and not (os.path.isfile(local) or os.path.isdir(local)):
        return Refused(f"'{local}' is {kind}, not a {type_.kind}", hint=f"return the path of a {type_.kind}")
    if kind is not None:
        other = "FlyteDirectory" if type_.kind == "file" else "FlyteFile"
        return Refused(f"'{local}' is not a {type_.kind}", hint=f"declare it as {other}")
    maker = "FlyteFile.new(…)" if type_.kind == "file" else "FlyteDirectory.new(…)"
    return Refused(
        f"'{local}' is not a {type_.kind}: {os.path.abspath(local)} does not exist",
        hint=f"write the {type_.kind} first; {maker} makes a path in the task's working directory",
    )
