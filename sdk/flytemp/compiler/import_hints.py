"""Hints for imports that fail, in particular because of the rule for the root of a program."""

from __future__ import annotations

from pathlib import Path

_MOST_PARENTS = 6
_RULE = "the root is the first folder without __init__.py"
_SOURCE_FOLDERS = ("src", "lib", "python")

_PORTING_HINTS = {
    "flytekit": "replace flytekit by flytemp in the import",
    "flytekitplugins": "flytekit's plug-ins do not work with flytemp: call the library in a @task, or use a ContainerTask",
    "flytemp": "correct the import: neither flytemp nor flytekit 1.16 has this module",
}


def import_hint(error: ImportError, root: Path | None) -> str:
    """Return what to do about a failed import.

    Args:
        error: the error of the import.
        root: the import root of the module that was imported; None if unknown.
    """
    if root is not None and "relative import" in str(error):
        return (
            f"the root of this program is {root} ({_RULE}): add an __init__.py to each folder of the package, or write the "
            "import without leading dots"
        )
    if not isinstance(error, ModuleNotFoundError):
        return "correct the import: the module has no such name"
    name = error.name or ""
    if name.partition(".")[0] in _PORTING_HINTS:
        return _PORTING_HINTS[name.partition(".")[0]]
    place = _place_of(name.partition(".")[0], root) if root is not None else None
    if root is None or place is None:
        return f"install it, or correct the import: {name}"
    if root.is_relative_to(place):
        folder = root if root.parent == place else f"each folder from {place / root.relative_to(place).parts[0]} to {root}"
        return f"{name} is in {place}, above the root {root} ({_RULE}): add an __init__.py to {folder}, or register {place}"
    return f"{name} is in {place}, which is not below the root {root} ({_RULE}): register {place} together with this program"


def _place_of(name: str, root: Path) -> Path | None:
    """Return the folder near ``root`` that has a module or package of this name: a parent, or a source folder in one."""
    if not name:
        return None
    for parent in (root, *root.parents[:_MOST_PARENTS]):
        for folder in (parent, *(parent / source for source in _SOURCE_FOLDERS)):
            if folder != root and _has_module(folder, name):
                return folder
        if (parent / ".git").exists():
            break
    return None


def _has_module(folder: Path, name: str) -> bool:
    package = folder / name
    try:
        return (folder / f"{name}.py").is_file() or any(any(package.glob(files)) for files in ("*.py", "*/*.py"))
    except OSError:
        return False
