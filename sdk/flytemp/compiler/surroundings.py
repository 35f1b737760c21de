"""Warnings about code that works on this machine only: modules and folders of ``sys.path`` that are not in the bundle."""

from __future__ import annotations

import ast
import os
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import FunctionType, ModuleType

import flytemp
from flytemp.errors import Location, Problem

_OUTSIDE_HINT = "move it below the root, register both folders together, or install it on the workers as a package"
_PATH_HINT = "derive the folder from `__file__`, or register both folders together: each root is on sys.path there"
_PACKAGE_FOLDERS = ("site-packages", "dist-packages")
_METHODS = ("insert", "append", "extend")
_MOST_STEPS = 5
_MAIN = ("__main__", "__mp_main__")  # the second is the first, as `multiprocessing` names it


@dataclass(frozen=True, slots=True)
class Surroundings:
    """State of this process before a program is imported."""

    path: tuple[str, ...]
    modules: frozenset[str]

    @classmethod
    def now(cls) -> Surroundings:
        return cls(tuple(sys.path), frozenset(sys.modules))


def surroundings_warnings(before: Surroundings, root: Path, own: Mapping[str, ModuleType]) -> list[Problem]:
    """Return the warnings about what a program uses outside of its bundle.

    Args:
        before: the state before the import.
        root: the root of the bundle.
        own: the program's modules by name.
    """
    files = {Path(file) for module in own.values() if (file := getattr(module, "__file__", None)) and file.endswith(".py")}
    changes = [change for file in sorted(files) for change in _path_changes(file)]
    added = [os.path.realpath(entry) for entry in sys.path if entry and entry not in before.path]
    outside = [entry for entry in added if not _is_below(entry, [str(root)]) and os.path.isdir(entry)]
    where = next((change.location for change in changes), None)
    warnings = [_folder_outside(entry, root, where) for entry in dict.fromkeys(outside)]
    if not outside:
        warnings += [_not_from_file(change) for change in changes if not change.uses_file]
    return [*warnings, *_module_warnings(before, root, own, outside)]


def _folder_outside(entry: str, root: Path, where: Location | None) -> Problem:
    return Problem(f"sys.path has {entry}, outside of the bundle's root {root}: workers do not have it", where, _PATH_HINT)


# ------------------------------------------------------------------------------------------ modules


def _module_warnings(
    before: Surroundings, root: Path, own: Mapping[str, ModuleType], covered: Sequence[str]
) -> Iterator[Problem]:
    """Yield a warning for each top-level module of which a file is neither in the bundle nor installed."""
    installed: Mapping[str, list[str]] | None = None
    known = [str(root), *covered, *_environment(before)]
    found: set[str] = set()
    for name, module in sorted(_used(before, own).items()):
        first = name.partition(".")[0]
        file = getattr(module, "__file__", None)
        if first in found or first in _MAIN or not isinstance(file, str) or name in own:
            continue
        if any(part in _PACKAGE_FOLDERS for part in Path(file).parts) or _is_below(file, known):
            continue
        if installed is None:
            installed = metadata.packages_distributions()
        if first not in installed:
            found.add(first)
            message = f"the module '{first}' is imported from {file}, outside of the bundle's root {root}: workers do not have it"
            yield Problem(message, _import_line(first, own), _OUTSIDE_HINT)


def _used(before: Surroundings, own: Mapping[str, ModuleType]) -> dict[str, ModuleType]:
    """Return the modules that the program has imported, or that its modules refer to, by name."""
    found = {name: module for name, module in list(sys.modules.items()) if name not in before.modules}
    for module in own.values():
        for value in list(vars(module).values()):
            if isinstance(value, ModuleType):
                found.setdefault(value.__name__, value)
            elif isinstance(value, type | FunctionType) and (name := value.__module__) in sys.modules:
                found.setdefault(name, sys.modules[name])
    return found


def _environment(before: Surroundings) -> list[str]:
    """Return the folders of Python, of flytemp, and of ``sys.path`` as the interpreter's environment sets it.

    Entries of PYTHONPATH and the folder of the script are not part of the environment: workers have others.
    """
    chosen = {os.path.realpath(entry) for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry}
    chosen |= {os.path.realpath(before.path[0])} if before.path and not sys.flags.safe_path else set()
    folders = [os.path.realpath(entry) for entry in before.path if entry]
    own = [os.path.dirname(os.path.realpath(flytemp.__file__)), *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib"))]
    return [*own, *(folder for folder in folders if folder not in chosen)]


def _is_below(path: str, folders: Sequence[str]) -> bool:
    real = os.path.realpath(path)
    return any(real == folder or real.startswith(os.path.join(folder, "")) for folder in map(os.path.realpath, folders))


def _import_line(name: str, own: Mapping[str, ModuleType]) -> Location | None:
    for module in own.values():
        file = getattr(module, "__file__", None)
        for node in ast.walk(_tree(Path(file))) if file else ():
            if not isinstance(node, ast.Import | ast.ImportFrom):
                continue
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            if any(each.partition(".")[0] == name for each in names):
                return Location(str(file), node.lineno)
    return None


# ----------------------------------------------------------------------------------------- sys.path


@dataclass(frozen=True, slots=True)
class _PathChange:
    """A change of ``sys.path`` in a file. ``uses_file``: the new folder depends on ``__file__``."""

    location: Location
    uses_file: bool


def _not_from_file(change: _PathChange) -> Problem:
    message = "sys.path is changed by a folder that does not depend on `__file__`: workers have the code in another folder"
    return Problem(message, change.location, _PATH_HINT)


def _path_changes(file: Path) -> Iterator[_PathChange]:
    tree = _tree(file)
    assigned = {
        target.id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        value = _new_entry(node)
        if value is not None:
            yield _PathChange(Location(str(file), getattr(node, "lineno", 1)), _depends_on_file(value, assigned, _MOST_STEPS))


def _new_entry(node: ast.AST) -> ast.AST | None:
    """Return the expression of the folder that a call or an assignment adds to ``sys.path``; None for other code."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _METHODS:
        return node.args[-1] if node.args and _is_sys_path(node.func.value) else None
    if isinstance(node, ast.AugAssign) and _is_sys_path(node.target):
        return node.value
    if isinstance(node, ast.Assign):
        for target in node.targets:
            if _is_sys_path(target.value if isinstance(target, ast.Subscript) else target):
                return node.value
    return None


def _is_sys_path(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "path" and isinstance(node.value, ast.Name) and node.value.id == "sys"


def _depends_on_file(node: ast.AST, assigned: Mapping[str, ast.expr], steps: int) -> bool:
    names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
    if "__file__" in names:
        return True
    return steps > 0 and any(_depends_on_file(assigned[name], assigned, steps - 1) for name in names & assigned.keys())


def _tree(file: Path) -> ast.AST:
    """Return the syntax tree of a file; an empty one if it cannot be read."""
    try:
        return ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Module([], [])
