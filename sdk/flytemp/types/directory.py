"""`FlyteDirectory`: a directory of files as an input or output of tasks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, ClassVar, Literal, Self

from flytemp.literals import transfer
from flytemp.types.blob import Blob, FormatT
from flytemp.types.file import FlyteFile


class FlyteDirectory(Blob[FormatT]):
    """A directory that tasks hand on; see `FlyteFile`, it behaves the same.

    ``FlyteDirectory["png"]`` says which format its files have.

    Args:
        path: a path on this machine, or a URI.
        remote_directory: upload to this URI; False uploads nothing.
    """

    noun: ClassVar[str] = "directory"

    def __init__(
        self, path: str | os.PathLike[str], remote_directory: str | os.PathLike[str] | Literal[False] | None = None
    ) -> None:
        super().__init__(path, remote_directory)

    @property
    def remote_directory(self) -> str | Literal[False] | None:
        """Where a task's output is uploaded to: None is a fresh place, False is nowhere."""
        return self._target

    @classmethod
    def new(cls, dirname: str | os.PathLike[str]) -> Self:
        """An empty directory in the running task's working directory."""
        path = transfer.new_local_path(os.fspath(dirname))
        os.makedirs(path, exist_ok=True)
        return cls(path)

    @classmethod
    def new_remote(cls, name: str | None = None) -> Self:
        """A directory to be filled straight in the store with ``new_file(…).open("w")``, in a fresh place.

        Where no task runs (a plain Python call) it lies on this machine.
        """
        files = transfer.current_transfer()
        directory_name = transfer.check_file_name(name or "data")
        if files is not None:
            return cls(files.fresh_uri(directory_name))
        path = transfer.new_random_path(directory_name)
        os.makedirs(path, exist_ok=True)
        return cls(path)

    def new_file(self, name: str) -> FlyteFile[Any]:
        """A file to be written in this directory.

        Raises:
            InputError: when the directory is an input.
        """
        self._refuse_writing_input()
        return FlyteFile(self._below(name))

    def new_dir(self, name: str | None = None) -> FlyteDirectory[Any]:
        """A directory to be filled in this one; raises as `new_file` does."""
        self._refuse_writing_input()
        child = FlyteDirectory(self._below(name or transfer.random_name()))
        if child._local is not None:
            os.makedirs(child._local, exist_ok=True)
        return child

    @staticmethod
    def listdir(directory: FlyteDirectory[Any]) -> list[FlyteFile[Any] | FlyteDirectory[Any]]:
        """What lies directly in the directory, sorted by name. Nothing of it is downloaded.

        Raises:
            NotFound: when there is no such directory.
            StoreError: when it cannot be read.
        """
        from flytemp.store import raw

        entries: list[FlyteFile[Any] | FlyteDirectory[Any]] = []
        for entry in raw.list_directory(directory.location):
            place = directory._below(entry.name)
            entries.append(FlyteDirectory.from_source(place) if entry.is_directory else FlyteFile.from_source(place))
        return entries

    def crawl(self, maxdepth: int | None = None, topdown: bool = True, detail: bool = False) -> Iterator[tuple[str, Any]]:
        """Every file at any depth, as ``(this directory, path below it)``. Nothing is downloaded.

        Args:
            maxdepth: how many levels to enter; 1 is this directory alone.
            topdown: the files of a directory come before those of its subdirectories.
            detail: give ``{path: {"name": path or URI, "size": bytes, "type": "file"}}`` for the path.

        Raises:
            NotFound: when there is no such directory.
            StoreError: when it cannot be read.
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
