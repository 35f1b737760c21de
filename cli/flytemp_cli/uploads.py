"""Files and directories of this machine given as inputs: moved to where tasks can read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flytemp.errors import TypeMismatch
from flytemp.literals.transfer import FileTransfer
from flytemp.literals.uploads import upload_local_files
from flytemp_cli.failures import InputUsageError

if TYPE_CHECKING:
    from flytemp.literals.types import Json
    from flytemp.spec.models import Interface


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
