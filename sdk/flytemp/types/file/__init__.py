"""`FlyteFile`: a file as an input or output of tasks."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, TypeAlias

from flytemp.errors import NotSupported
from flytemp.literals import transfer
from flytemp.porting.finder import other_names
from flytemp.types.blob import Blob, FormatT


class FlyteFile(Blob[FormatT]):
    """A file that is passed between tasks. The store has the bytes; the value has only their address.

    A local file that a task returns is uploaded to a fresh URI in the run's raw data. A URI (``s3://``, ``gs://``,
    ``https://``, ``file://``) is passed unchanged. An input is downloaded when it is used: by ``open(file)`` or `download`.

    ``FlyteFile["csv"]`` declares the format. For a type checker write `CSVFile` or ``FlyteFile[Literal["csv"]]``, because
    type checkers read a text in brackets as the name of a type.

    Args:
        path: a local path, or a URI.
        downloader: a function that writes the file to a local path when it is first used.
        remote_path: URI that the file is uploaded to. False disables the upload, for machines with a shared disk.
        metadata: not supported.

    Raises:
        TypeMismatch: ``path`` is not a path or URI.
        NotSupported: ``metadata`` is given.
    """

    noun: ClassVar[str] = "file"

    def __init__(
        self,
        path: str | os.PathLike[str],
        downloader: Callable[[], object] | None = None,
        remote_path: str | os.PathLike[str] | Literal[False] | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        if metadata:
            raise NotSupported("metadata of a FlyteFile is not supported", hint="return it as an output of its own")
        super().__init__(path, downloader, remote_path)

    @classmethod
    def new(cls, filename: str | os.PathLike[str]) -> Self:
        """Return a new file in the running task's working directory, or outside of tasks in a temporary directory.

        Raises:
            InputError: (a ``ValueError``) the path is absolute.
        """
        return cls(transfer.new_local_path(os.fspath(filename)))

    @classmethod
    def new_remote_file(cls, name: str | None = None, alt: str | None = None) -> Self:
        """Return a new file in the run's raw data, which ``open("w")`` writes directly to the store.

        Outside of tasks (in a plain Python call) the file is local.

        Args:
            name: the name of the file.
            alt: the bucket to use instead of that of the raw data.
        """
        return cls(transfer.new_remote_location(name, alt))

    def open(self, mode: str = "r", cache_type: str | None = None, cache_options: Mapping[str, Any] | None = None) -> IO[Any]:
        """Open the file like the built-in function. A remote file that was not downloaded is streamed.

        Args:
            mode: the mode, as for the built-in function.
            cache_type: not used; in flytekit the kind of read buffer.
            cache_options: not used.

        Raises:
            NotFound: the file to read does not exist.
            InputError: an input cannot be written.
            StoreError: the store refuses the request.
        """
        from flytemp.store import raw

        writes = any(letter in mode for letter in "wax+")
        if writes:
            self._refuse_writing_input()
        if self._source is not None and (writes or not self._has_local_content()):
            return raw.open_uri(self._source, mode)
        path = Path(self._download_path() if writes else self.download())
        if writes:
            path.parent.mkdir(parents=True, exist_ok=True)
        return path.open(mode, encoding=None if "b" in mode else "utf-8")

    def _fetch(self, source: str, local: str) -> None:
        from flytemp.store import raw

        raw.download_file(source, local)


FlyteFile._base = FlyteFile


class FileExt:
    """Format of a file inside an annotation, for formats with a period: ``FlyteFile[Annotated[str, FileExt("tar.gz")]]``.

    Args:
        ext: the format.
    """

    def __init__(self, ext: str) -> None:
        self._ext = ext

    def __str__(self) -> str:
        return self._ext

    def __repr__(self) -> str:
        return self._ext


csv = Annotated[str, FileExt("csv")]
hdf5 = Annotated[str, FileExt("hdf5")]
html = Annotated[str, FileExt("html")]
ipynb = Annotated[str, FileExt("ipynb")]
joblib = Annotated[str, FileExt("joblib")]
jpeg = Annotated[str, FileExt("jpeg")]
jsonl_file = Annotated[str, FileExt("jsonl")]
onnx = Annotated[str, FileExt("onnx")]
pdf = Annotated[str, FileExt("pdf")]
png = Annotated[str, FileExt("png")]
python_pickle = Annotated[str, FileExt("python_pickle")]
svg = Annotated[str, FileExt("svg")]
tfrecords_file = Annotated[str, FileExt("tfrecord")]

if TYPE_CHECKING:
    # For a type checker, each alias is a file. The compiler of the program compares the formats.
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

if not TYPE_CHECKING:
    __getattr__ = other_names(__name__)
