"""Importing a program's modules so that two programs with equal module names in one process do not mix."""

from __future__ import annotations

import importlib
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

_lock = threading.RLock()  # sys.modules and sys.path belong to the whole process


class ModuleSpace:
    """The modules below a program's import roots. They are importable only while the space is active."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self.roots = tuple(roots)
        self._modules: dict[str, ModuleType] = {}
        self._depth = 0

    @contextmanager
    def activated(self) -> Iterator[None]:
        """Make the program's modules, and no others of the same names, importable inside the ``with`` block."""
        with _lock:
            if self._depth:
                self._depth += 1
                try:
                    yield
                finally:
                    self._depth -= 1
                return
            path = list(sys.path)
            set_aside = self._enter()
            self._depth = 1
            try:
                yield
            finally:
                self._depth = 0
                self._leave(set_aside, path)

    def _enter(self) -> dict[str, ModuleType]:
        names = self._top_level_names()
        set_aside = {
            name: module for name, module in sys.modules.items() if name.partition(".")[0] in names and name != "__main__"
        }
        for name in set_aside:
            del sys.modules[name]
        sys.modules.update(self._modules)
        sys.path[:0] = [str(root) for root in self.roots]
        importlib.invalidate_caches()
        return set_aside

    def _leave(self, set_aside: dict[str, ModuleType], path: list[str]) -> None:
        self._modules = {name: module for name, module in list(sys.modules.items()) if self._owns(name, module)}
        for name in self._modules:
            del sys.modules[name]
        sys.modules.update(set_aside)
        # What the program itself added to sys.path stays: its lazy imports may need it.
        roots = {str(root) for root in self.roots} - set(path)
        sys.path[:] = [entry for entry in dict.fromkeys(sys.path) if entry not in roots]

    def _top_level_names(self) -> set[str]:
        """What the roots provide, except the names of Python's and flytemp's own modules."""
        names: set[str] = set()
        for root in self.roots:
            with os.scandir(root) as entries:
                names.update(entry.name.removesuffix(".py") for entry in entries if entry.is_dir() or entry.name.endswith(".py"))
        return {name for name in names if name not in sys.stdlib_module_names and not name.startswith("flytemp")}

    def _owns(self, name: str, module: ModuleType) -> bool:
        """Whether the module lies below a root, and below no nearer directory of ``sys.path``, such as site-packages."""
        if name == "__main__" or name.partition(".")[0].startswith("flytemp"):
            return False
        file = getattr(module, "__file__", None)
        places = [file] if file else list(getattr(module, "__path__", ()))
        return any(self._nearest(Path(place)) in self.roots for place in places)

    def _nearest(self, place: Path) -> Path | None:
        directories = [*self.roots, *(Path(entry) for entry in sys.path if entry)]
        above = [directory for directory in directories if place.is_relative_to(directory)]
        return max(above, key=lambda directory: len(directory.parts), default=None)
