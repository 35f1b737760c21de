"""Loading what is registered: the user's modules, and spec files in YAML and JSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from flytemp_cli.failures import InputUsageError
from flytemp_cli.output import prints_to_stderr

if TYPE_CHECKING:
    from flytemp.compiler.spec_files import Sources


def load_sources(paths: Sequence[str]) -> Sources:
    """The modules and spec files that these files and folders are or hold.

    Raises:
        InputUsageError: a path does not exist.
        ProgramError: a module does not import.
    """
    for path in paths:
        if not Path(path).exists():
            raise InputUsageError(f"there is no file or folder {path}", hint="check the path: it is relative to this folder")
    from flytemp.compiler.spec_files import load_sources

    with prints_to_stderr():
        return load_sources([Path(path) for path in paths])
