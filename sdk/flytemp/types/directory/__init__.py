"""`FlyteDirectory`: a directory of files as an input or output of tasks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, TypeAlias, TypeVar

from flytemp.literals import transfer
from flytemp.porting.finder import other_names
from flytemp.types.blob import Blob, FormatT
from flytemp.types.file import FlyteFile


class FlyteDirectory(Blob[FormatT]):
    """A directory that is passed between tasks. It is uploaded and downloaded like a `FlyteFile`.

    ``FlyteDirectory["png"]`` declares the format of the files.

    Args:
        path: a local path, or a URI.
        downloader: a function that writes the directory to a local path when it is first used.
        remote_directory: URI that the directory is uploaded to; False disables the upload.
    """

    noun: ClassVar[str] = "directory"

    def __init__(
        self,
        path: str | os.PathLike[str],
        downloader: Callable[[], object] | None = None,
        remote_directory: str | os.PathLike[str] | Literal[False] | None = None,
    ) -> None:
        super().__init__(path, downloader, remote_directory)

    @property
    def remote_directory(self) -> str | Literal[False] | None:
        """URI that an output of a task is uploaded to; None is a fresh URI, False disables the upload."""
        return self._target

    @property
    def sep(self) -> str:
        """The separator of the parts of a path."""
        return os.sep if self._source is None else "/"

    def __truediv__(self, name: str | os.PathLike[str]) -> Path:
        """Return a local path below the directory, which exists after `download` if the directory is remote."""
        return Path(self._download_path()) / name

    @classmethod
    def new(cls, dirname: str | os.PathLike[str]) -> Self:
        """Create an empty directory in the running task's working directory, or outside of tasks in a temporary directory.

        If there is a directory of this name, the new one has another parent directory.

        Raises:
            InputError: (a ``ValueError``) the path is absolute.
        """
        name = os.fspath(dirname)
        path = transfer.new_local_path(name)
        if os.path.exists(path):
            path = transfer.new_random_path(name)
        os.makedirs(path)
        return cls(path)

    @classmethod
    def new_remote(cls, stem: str | None = None, alt: str | None = None) -> Self:
        """Return a fresh directory in the store, whose files are written with ``new_file(…).open("w")``.

        Outside of tasks (in a plain Python call) the directory is local.

        Args:
            stem: the name of the directory.
            alt: the bucket to use instead of that of the raw data.
        """
        location = transfer.new_remote_location(stem, alt)
        if transfer.current_transfer() is None:
            os.makedirs(location, exist_ok=True)
        return cls(location)

    def new_file(self, name: str | None = None) -> FlyteFile[Any]:
        """Return a new file in this directory. Without a name, the name is random.

        Raises:
            InputError: the directory is an input.
        """
        self._refuse_writing_input()
        return FlyteFile(self._below(name or transfer.random_name()))

    def new_dir(self, name: str | None = None) -> FlyteDirectory[Any]:
        """Return a new directory in this one; raises as `new_file`."""
        self._refuse_writing_input()
        child = FlyteDirectory(self._below(name or transfer.random_name()))
        if child._local is not None:
            os.makedirs(child._local, exist_ok=True)
        return child

    @staticmethod
    def listdir(directory: FlyteDirectory[Any]) -> list[FlyteFile[Any] | FlyteDirectory[Any]]:
        """Return the files and directories directly in a directory, sorted by name, without a download.

        Raises:
            NotFound: the directory does not exist.
            StoreError: the directory cannot be read.
        """
        from flytemp.store import raw

        entries: list[FlyteFile[Any] | FlyteDirectory[Any]] = []
        for entry in raw.list_directory(directory.location):
            place = directory._below(entry.name)
            entries.append(FlyteDirectory.from_source(place) if entry.is_directory else FlyteFile.from_source(place))
        return entries

    def crawl(self, maxdepth: int | None = None, topdown: bool = True, detail: bool = False) -> Iterator[tuple[str, Any]]:
        """Iterate over all files as ``(this directory, path below it)``, without a download.

        Args:
            maxdepth: maximum number of levels; 1 is only this directory.
            topdown: True for the files of a directory before those of its subdirectories.
            detail: True for ``{path: {"name": path or URI, "size": bytes, "type": "file"}}`` instead of the path.

        Raises:
            NotFound: the directory does not exist.
            StoreError: the directory cannot be read.
        """
        for path, place, size in self._walk("", maxdepth, topdown):
            info = {path: {"name": place, "size": size, "type": "file"}}
            yield self.location, info if detail else path

    def _walk(self, below: str, levels: int | None, topdown: bool) -> Iterator[tuple[str, str, int | None]]:
        from flytemp.store import raw

        if levels is not None and levels < 1:
            return
        entries = raw.list_directory(self._below(below) if below else self.location)
        ordered = sorted(entries, key=lambda entry: entry.is_directory == topdown)
        for entry in ordered:
            path = f"{below}/{entry.name}" if below else entry.name
            if entry.is_directory:
                yield from self._walk(path, None if levels is None else levels - 1, topdown)
            else:
                yield path, self._below(path), entry.size

    def _below(self, name: str) -> str:
        if self._source is not None:
            return f"{self._source.rstrip('/')}/{name}"
        return os.path.join(self.location, name)

    def _fetch(self, source: str, local: str) -> None:
        from flytemp.store import raw

        raw.download_directory(source, local)


FlyteDirectory._base = FlyteDirectory

if TYPE_CHECKING:
    # For a type checker, each alias is a directory. The compiler of the program compares the formats.
    TensorboardLogs: TypeAlias = FlyteDirectory[Any]
    TFRecordsDirectory: TypeAlias = FlyteDirectory[Any]
else:
    TensorboardLogs = FlyteDirectory["tensorboard"]
    TFRecordsDirectory = FlyteDirectory["tfrecords_dir"]
    tensorboard = TypeVar("tensorboard")
    tfrecords_dir = TypeVar("tfrecords_dir")
    __getattr__ = other_names(__name__)
