"""Isolated imports: programs with equal module names can be loaded in one process."""

from __future__ import annotations

import importlib
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import ClassVar

_lock = threading.RLock()  # sys.modules and sys.path belong to the whole process


class ModuleSpace:
    """Modules below a program's import roots.

    At most one space is active at a time: its roots are first in ``sys.path``, and its modules are in ``sys.modules``. The
    space that was loaded last stays active, so that its code may import later. Activating another space removes it completely.
    """

    _active: ClassVar[ModuleSpace | None] = None

    def __init__(self, roots: Sequence[Path]) -> None:
        self.roots = tuple(roots)
        self._modules: dict[str, ModuleType] = {}
        self._set_aside: dict[str, ModuleType] = {}

    @contextmanager
    def activated(self) -> Iterator[None]:
        """Activate the space inside the ``with`` block, and afterwards the space that was active before."""
        with _lock:
            before = ModuleSpace._active
            _activate(self)
            try:
                yield
            finally:
                _activate(before)

    def stay(self) -> None:
        """Activate the space until another one is activated, unless it would hide modules that this process uses.

        Modules that were set aside for names that the program does not use are restored.
        """
        with _lock:
            _activate(self)
            used = {name.partition(".")[0] for name, module in list(sys.modules.items()) if self._owns(name, module)}
            if any(name.partition(".")[0] in used for name in self._set_aside):
                _activate(None)
                return
            for name in [name for name in self._set_aside if name.partition(".")[0] not in used]:
                sys.modules.setdefault(name, self._set_aside.pop(name))

    def modules(self) -> dict[str, ModuleType]:
        """Return the imported modules below the roots by their names, while the space is active."""
        return {name: module for name, module in list(sys.modules.items()) if self._owns(name, module)}

    def _enter(self) -> None:
        names = self._top_level_names()
        self._set_aside = {
            name: module for name, module in list(sys.modules.items()) if name.partition(".")[0] in names and name != "__main__"
        }
        for name in self._set_aside:
            del sys.modules[name]
        sys.modules.update(self._modules)
        sys.path[:0] = [str(root) for root in self.roots]
        importlib.invalidate_caches()

    def _leave(self) -> None:
        self._modules = self.modules()
        for name in self._modules:
            del sys.modules[name]
        sys.modules.update(self._set_aside)
        self._set_aside = {}
        for root in map(str, self.roots):
            if root in sys.path:
                sys.path.remove(root)

    def _top_level_names(self) -> set[str]:
        """Return the names of the roots' modules, except those of modules of Python and flytemp."""
        names: set[str] = set()
        for root in self.roots:
            if root.is_dir():
                with os.scandir(root) as entries:
                    names.update(
                        entry.name.removesuffix(".py") for entry in entries if entry.is_dir() or entry.name.endswith(".py")
                    )
        return {name for name in names if name not in sys.stdlib_module_names and not name.startswith("flytemp")}

    def _owns(self, name: str, module: ModuleType) -> bool:
        """Return True if the module is below a root and not below a nearer directory of ``sys.path``, such as site-packages."""
        if name == "__main__" or name.partition(".")[0].startswith("flytemp") or self._set_aside.get(name) is module:
            return False
        file = getattr(module, "__file__", None)
        places = [file] if file else list(getattr(module, "__path__", ()))
        return any(self._leads_to(place) for place in places if place.startswith(self._prefixes))

    @property
    def _prefixes(self) -> tuple[str, ...]:
        return tuple(os.path.join(root, "") for root in self.roots)

    def _leads_to(self, place: str) -> bool:
        """Return True if ``place`` is not below a directory of ``sys.path`` that is nearer than the root."""
        nearest = max((prefix for prefix in self._prefixes if place.startswith(prefix)), key=len)
        entries = (os.path.join(entry, "") for entry in sys.path if entry)
        return not any(len(entry) > len(nearest) and place.startswith(entry) and entry not in self._prefixes for entry in entries)


def _activate(space: ModuleSpace | None) -> None:
    if ModuleSpace._active is space:
        return
    if ModuleSpace._active is not None:
        ModuleSpace._active._leave()
    ModuleSpace._active = space
    if space is not None:
        space._enter()
