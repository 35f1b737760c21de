"""Files of a conversion, under flytekit's names."""

from __future__ import annotations

import os
from dataclasses import dataclass

from flytemp.literals import transfer
from flytemp.literals.transfer import FileTransfer


@dataclass(frozen=True, slots=True)
class FileAccess:
    """Paths on this machine and URIs in the run's raw data, and copies between them.

    Without a run, the URIs are local paths. A launch uploads the files of its inputs. The default of an input, or a constant
    in a workflow, keeps the path, which other machines cannot read.
    """

    files: FileTransfer | None = None

    def get_random_local_path(self, file_path_or_file_name: str = "data") -> str:
        """Return a fresh local path with the given last part. The parent directory exists."""
        name = transfer.last_part(file_path_or_file_name)
        if self.files is None:
            return transfer.new_random_path(name)
        path = self.files.data_directory / transfer.random_name() / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return str(path)

    def get_random_local_directory(self) -> str:
        """Create an empty local directory and return its path."""
        path = self.get_random_local_path()
        os.mkdir(path)
        return path

    def get_random_remote_path(self, file_path_or_file_name: str = "data") -> str:
        """Return a fresh URI in the run's raw data, with the given last part."""
        name = transfer.last_part(file_path_or_file_name)
        return transfer.new_random_path(name) if self.files is None else self.files.fresh_uri(name)

    def get_random_remote_directory(self) -> str:
        """Return a fresh URI for a directory in the run's raw data."""
        return self.get_random_remote_path()

    def upload(self, file_path: str, to_path: str | None = None) -> str:
        """Copy a local file to a URI, by default to a fresh one, and return the URI.

        Raises:
            NotFound: the file does not exist.
            StoreError: the store refuses the file.
        """
        from flytemp.store import raw

        uri = to_path or self.get_random_remote_path(file_path)
        if self.files is None:
            raw.upload_file(file_path, uri)
            return uri
        return self.files.upload_file(file_path, target=uri)

    def upload_directory(self, local_path: str, remote_path: str | None = None) -> str:
        """Copy a local directory to a URI, by default to a fresh one, and return the URI; raises as `upload`."""
        from flytemp.store import raw

        uri = remote_path or self.get_random_remote_path(os.path.abspath(local_path))
        if self.files is None:
            raw.upload_directory(local_path, uri)
            return uri
        return self.files.upload_directory(local_path, uri)

    def download(self, remote_path: str, local_path: str | None = None) -> str:
        """Copy the file at a URI to a local path, by default to a fresh one, and return the path.

        Raises:
            NotFound: the file does not exist.
            StoreError: the file cannot be read.
        """
        from flytemp.store import raw

        path = local_path or self.get_random_local_path(remote_path)
        raw.download_file(remote_path, path)
        return path

    def download_directory(self, remote_path: str, local_path: str | None = None) -> str:
        """Copy the directory at a URI to a local path, by default to a fresh one, and return the path; raises as `download`."""
        from flytemp.store import raw

        path = local_path or self.get_random_local_path(remote_path)
        raw.download_directory(remote_path, path)
        return path
