"""Other versions of Python on this machine, on which the types are tested as well.

``python -m tests.other_pythons`` prepares a virtualenv for each, with the packages that the types need, and prints the
versions. `just test` runs it first. A version that cannot be prepared is not tested.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

_ROOT = Path(__file__).parents[1]
_FOLDER = _ROOT / ".venv" / "other-pythons"
_PACKAGES = ("pydantic", "fsspec", "typing_extensions", "pathspec")
_MINORS = range(11, 20)


def installed() -> dict[str, str]:
    """Return the interpreters from Python 3.11 on this machine by version ("3.12"), without that of this process."""
    found: dict[str, str] = {}
    for minor in _MINORS:
        version = f"3.{minor}"
        managed = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}"))
        for command in [shutil.which(f"python{version}"), *map(str, managed)]:
            if command and minor != sys.version_info.minor and _succeeds([command, "-c", "import venv"]):
                found.setdefault(version, command)
    return found


def prepared() -> dict[str, str]:
    """Return the interpreters of the virtualenvs by version."""
    return {folder.name: str(folder / "bin" / "python") for folder in sorted(_FOLDER.glob("3.*")) if (folder / "ready").exists()}


def _requirements() -> list[str]:
    """Return the requirements of the types, a part of the project's own."""
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]
    return [requirement for requirement in project["dependencies"] if requirement.startswith(_PACKAGES)]


def _prepare(version: str, command: str) -> bool:
    folder = _FOLDER / version
    if (folder / "ready").exists():
        return True
    shutil.rmtree(folder, ignore_errors=True)
    python = str(folder / "bin" / "python")
    install = [python, "-m", "pip", "install", "-q", *_requirements()]
    if not _succeeds([command, "-m", "venv", str(folder)]) or not _succeeds(install):
        return False
    (folder / "ready").touch()
    return True


def _succeeds(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=300, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


if __name__ == "__main__":
    for each, interpreter in installed().items():
        print(
            f"types on Python {each}: {'tested' if _prepare(each, interpreter) else 'not tested, not prepared'} ({interpreter})"
        )
