"""Import of flytekit's modules that are not files of flytemp."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.abc import Loader
else:
    Loader = object  # the import of importlib.abc takes 20 ms

_PACKAGE = "flytemp"


class FlytekitFinder:
    """Finder of the modules that `flytemp.porting.names` lists. It is the last finder, after those of files."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if not fullname.startswith(f"{_PACKAGE}."):
            return None
        from flytemp.porting.names import has_module

        return ModuleSpec(fullname, _Loader(), is_package=True) if has_module(fullname) else None


class _Loader(Loader):
    def create_module(self, spec: ModuleSpec) -> None:
        """Return None: the import system creates the module."""

    def exec_module(self, module: ModuleType) -> None:
        from flytemp.porting.names import names_of

        module.__doc__ = f"Names of the module `{module.__name__.replace(_PACKAGE, 'flytekit', 1)}` of flytekit."
        module.__dict__.update(__all__=names_of(module.__name__), __getattr__=other_names(module.__name__))


def other_names(module: str) -> Callable[[str], object]:
    """Return the ``__getattr__`` of a module: it finds the names that flytekit's module of this path has."""

    def find(name: str) -> object:
        if name.startswith("_"):
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        from flytemp.porting.names import find_name

        found = find_name(module, name)
        vars(sys.modules[module])[name] = found
        return found

    return find


def install() -> None:
    """Add the finder to those of this process."""
    if not any(isinstance(finder, FlytekitFinder) for finder in sys.meta_path):
        sys.meta_path.append(FlytekitFinder())
