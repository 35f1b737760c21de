"""Import of a task's object from its code bundle."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from flytemp.errors import Problem, ProgramError

if TYPE_CHECKING:
    from flytemp.authoring.task import Task


_used: tuple[Path, tuple[str, ...]] | None = None
"""Bundle that this process uses, with its import roots."""


class NotLoadable(ProgramError):
    """Error raised when the bundle does not have the task. Every attempt fails the same way."""

    code = "not-loadable"

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__([Problem(message, hint=hint)])


def use_bundle(folder: Path, import_roots: Sequence[str]) -> None:
    """Put the bundle's import roots first on ``sys.path``, in their order. Later changes of the program are kept.

    Python writes no compiled files, because the folder must stay as it was registered.
    """
    global _used
    if _used == (folder, tuple(import_roots)):
        return
    _used = folder, tuple(import_roots)
    sys.dont_write_bytecode = True
    roots = [str((folder / root).resolve()) for root in import_roots]
    sys.path[:] = roots + [entry for entry in sys.path if entry not in roots]
    importlib.invalidate_caches()


def load_task(loader: str, folder: Path | None = None, import_roots: Sequence[str] = (".",)) -> Task[..., Any]:
    """Return the task with the loader ``module:attribute``.

    Args:
        loader: loader of a `TaskSpec`.
        folder: the unpacked bundle, after `use_bundle`; None if the code is imported where it is.
        import_roots: import roots of the bundle.

    Raises:
        NotLoadable: the module or attribute does not exist, or it is not a task.
        Exception: any exception of the user's module during its import.
    """
    module_name, _, attribute = loader.partition(":")
    module = import_module(module_name, folder)
    if folder is not None:
        _check_origin(module, folder, import_roots)
    try:
        found = getattr(module, attribute)
    except AttributeError:
        hint = "define it at the top level of its module, under the name it is registered with"
        raise NotLoadable(f"the module '{module_name}' has no '{attribute}'", hint) from None
    from flytemp.authoring.task import Task

    if not isinstance(found, Task):
        raise NotLoadable(f"'{loader}' is a {type(found).__name__}, not a task", "decorate the function with @task")
    return found


def import_module(name: str, folder: Path | None) -> ModuleType:
    """Import the module of a task.

    Args:
        name: name of the module.
        folder: the unpacked bundle, after `use_bundle`; None if the code is imported where it is.

    Raises:
        NotLoadable: the module does not exist.
        Exception: any exception of the module.
    """
    from flytemp.authoring.entity_registry import deferred_checks

    try:
        with deferred_checks():  # other tasks of the module may be broken
            return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # The user's module may itself import a module that does not exist: that is an error of the user's code.
        if error.name is None or not (name == error.name or name.startswith(error.name + ".")):
            raise
        where = "the code bundle" if folder is not None else "sys.path"
        hint = "check that its file is below the project's root and not excluded by .gitignore or .flytempignore"
        raise NotLoadable(f"there is no module '{error.name}' in {where}", hint) from None


def _check_origin(module: ModuleType, folder: Path, import_roots: Sequence[str]) -> None:
    """Refuse an installed module with the name of a module of the bundle."""
    relative = Path(*module.__name__.split("."))
    for root in import_roots:
        for candidate in (relative.with_suffix(".py"), relative / "__init__.py"):
            ours = (folder / root / candidate).resolve()
            if ours.is_file():
                if module.__file__ is not None and Path(module.__file__).resolve() == ours:
                    return
                message = f"the module '{module.__name__}' is hidden by another of that name, {module.__file__}"
                raise NotLoadable(message, f"rename {root}/{candidate}" if root != "." else f"rename {candidate}")
