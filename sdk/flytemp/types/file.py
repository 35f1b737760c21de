"""`FlyteFile`: a file as an input or output of tasks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, ClassVar, Self, TypeAlias

from flytemp.literals import transfer
from flytemp.types.blob import Blob, FormatT


class FlyteFile(Blob[FormatT]):
    """A file that tasks hand on. The bytes go through the store; the value itself is only an address.

    As a task's output a file of this machine is uploaded to a fresh place in the run's raw data. A URI
    (``s3://``, ``gs://``, ``https://``, ``file://``) is handed on as it is. As an input nothing is
    downloaded until the file is used: by ``open(file)``, `path`, `download` or `open`.

    ``FlyteFile["csv"]`` says which format it has. For a type checker write `CSVFile` or
    ``FlyteFile[Literal["csv"]]``: to it, a text in brackets is the name of a type.

    Args:
        path: a path on this machine, or a URI.
        remote_path: upload to this URI; False uploads nothing, which suits machines that share a disk.
    """

    noun: ClassVar[str] = "file"

    @classmethod
    def new(cls, filename: str | os.PathLike[str]) -> Self:
        """A file to be written, in the running task's working directory."""
        return cls(transfer.new_local_path(os.fspath(filename)))

    @classmethod
    def new_remote_file(cls, name: str | None = None) -> Self:
        """A file to be written straight to the store with ``open("w")``, in a fresh place of the run's raw data.

        Where no task runs (a plain Python call) it lies on this machine.
        """
        files = transfer.current_transfer()
        file_name = transfer.check_file_name(name or "data")
        return cls(files.fresh_uri(file_name) if files is not None else transfer.new_random_path(file_name))

    def open(self, mode: str = "r") -> IO[Any]:
        """Open it as the built-in does. A remote file that was not downloaded is streamed.

        Raises:
            NotFound: when there is nothing to read.
            InputError: when an input would be written to.
            StoreError: when the store refuses.
        """
        from flytemp.store import raw

        writes = any(letter in mode for letter in "wax+")
        if writes:
            self._refuse_writing_input()
        if self._source is not None and (writes or self._local is None or not os.path.exists(self._local)):
            return raw.open_uri(self._source, mode)
        path = Path(self.path)
        if writes:
            path.parent.mkdir(parents=True, exist_ok=True)
        return path.open(mode, encoding=None if "b" in mode else "utf-8")

    def _fetch(self, source: str, local: str) -> None:
        from flytemp.store import raw

        raw.download_file(source, local)


FlyteFile._base = FlyteFile

if TYPE_CHECKING:
    # To a type checker each alias is a file; formats are compared when the program is compiled.
    CSVFile: TypeAlias = FlyteFile[Any]
    HDF5EncodedFile: TypeAlias = FlyteFile[Any]
    HTMLPage: TypeAlias = FlyteFile[Any]
    JoblibSerializedFile: TypeAlias = FlyteFile[Any]
    JPEGImageFile: TypeAlias = FlyteFile[Any]
    JSONLFile: TypeAlias = FlyteFile[Any]
    ONNXFile: TypeAlias = FlyteFile[Any]
    PDFFile: TypeAlias = FlyteFile[Any]
    PNGImageFile: TypeAlias = FlyteFile[Any]
    PythonNotebook: TypeAlias = FlyteFile[Any]
    PythonPickledFile: TypeAlias = FlyteFile[Any]
    SVGImageFile: TypeAlias = FlyteFile[Any]
    TFRecordFile: TypeAlias = FlyteFile[Any]
else:
    CSVFile = FlyteFile["csv"]
    HDF5EncodedFile = FlyteFile["hdf5"]
    HTMLPage = FlyteFile["html"]
    JoblibSerializedFile = FlyteFile["joblib"]
    JPEGImageFile = FlyteFile["jpeg"]
    JSONLFile = FlyteFile["jsonl"]
    ONNXFile = FlyteFile["onnx"]
    PDFFile = FlyteFile["pdf"]
    PNGImageFile = FlyteFile["png"]
    PythonNotebook = FlyteFile["ipynb"]
    PythonPickledFile = FlyteFile["python_pickle"]
    SVGImageFile = FlyteFile["svg"]
    TFRecordFile = FlyteFile["tfrecord"]
