"""Search for the modules in files and directories, and for their import roots."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from flytemp.bundle.ignore_rules import IgnoreRules
from flytemp.bundle.packing import find_project_root
from flytemp.errors import InputError

_NOT_IMPORTED = frozenset({"setup.py", "conftest.py", "__main__.py", "noxfile.py"})


@dataclass(frozen=True, slots=True)
class ModuleFile:
    """Module to import, with its name below ``import_root``."""

    name: str
    file: Path
    import_root: Path


@dataclass(frozen=True, slots=True)
class ModuleFiles:
    """Modules to import. ``root`` is the directory to bundle; its directories ``import_roots`` are added to ``sys.path``."""

    root: Path
    import_roots: tuple[Path, ...]
    modules: tuple[ModuleFile, ...]


def module_files(paths: Sequence[Path], root: Path | None) -> ModuleFiles:
    """Return the modules in files and directories.

    The import root of a file or directory is the first directory without ``__init__.py``, from the path itself upwards. In
    directories, files that the bundle ignores, tests and setup scripts are not imported.

    Raises:
        NotFound: if a file or directory does not exist.
        InputError: if a file is not a Python module or is outside ``root``.
    """
    if not paths:
        raise InputError("no file or directory is given", hint="name the file or directory with your workflows")
    modules: dict[Path, ModuleFile] = {}
    roots: dict[Path, None] = {}
    for path in paths:
        import_root = find_project_root(path)
        roots[import_root] = None
        for file in _files(Path(os.path.abspath(path)), import_root):
            modules.setdefault(file, ModuleFile(_name(file, import_root), file, import_root))
    bundle_root = Path(os.path.abspath(root)) if root is not None else Path(os.path.commonpath(list(roots)))
    for import_root in roots:
        if not import_root.is_relative_to(bundle_root):
            raise InputError(f"{import_root} is not inside the root {bundle_root}", hint="choose a root that holds all paths")
    return ModuleFiles(bundle_root, tuple(roots), tuple(modules.values()))


def _files(path: Path, import_root: Path) -> list[Path]:
    if path.is_file():
        if path.suffix != ".py":
            raise InputError(f"{path} is not a Python module", hint="name a .py file or a directory")
        _check_importable(path, import_root)
        return [path]
    rules, folder = IgnoreRules.of_root(import_root), import_root
    for part in path.relative_to(import_root).parts:
        folder = folder / part
        rules = rules.within(folder)
    return list(_walk(path, rules))


def _check_importable(file: Path, import_root: Path) -> None:
    """Refuse a file whose path is not the name of a module: in ``flow.v2``, Python reads the dot as a package's."""
    for part in (*file.relative_to(import_root).parts[:-1], file.stem):
        if "." in part:
            better = file.with_name(f"{part.replace('.', '_')}.py").name if part == file.stem else part.replace(".", "_")
            raise InputError(
                f"{file} cannot be imported: a module's name has no dot, and {part!r} has one",
                hint=f"rename it, for example to {better}",
            )


def _walk(directory: Path, rules: IgnoreRules) -> Iterator[Path]:
    for entry in sorted(directory.iterdir()):
        if entry.name.startswith(".") or rules.excludes(entry, is_folder=entry.is_dir()):
            continue
        if entry.is_dir():
            if entry.name.isidentifier():
                yield from _walk(entry, rules.within(entry))
        elif entry.suffix == ".py" and entry.stem.isidentifier() and not _left_out(entry.name):
            yield entry


def _left_out(name: str) -> bool:
    return name in _NOT_IMPORTED or name.startswith("test_") or name.endswith("_test.py")


def _name(file: Path, import_root: Path) -> str:
    parts = list(file.relative_to(import_root).with_suffix("").parts)
    if parts[-1] == "__init__":
        parts.pop()
    return ".".join(parts)
