"""Type transformers that installed distributions offer by entry points of the group ``flytemp.types``."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Any

from flytemp.error_text import titled
from flytemp.errors import ConfigError
from flytemp.literals.transformers import TypeTransformer

GROUP = "flytemp.types"


class TypePlugins:
    """The entry points of the group, each loaded when a class is first used that its name covers.

    The name of an entry point is a class, such as ``numpy.ndarray``, or a package or module, such as ``numpy``, for all
    of its classes. So a program that uses no array does not import the array plug-in.
    """

    def __init__(self) -> None:
        self._found: dict[str, EntryPoint] | None = None
        self._loaded: set[str] = set()
        self._loading = threading.local()

    def load_for(self, cls: type) -> Iterator[TypeTransformer[Any]]:
        """Load the entry points that cover a class and have not been loaded yet, and iterate over their transformers.

        Raises:
            ConfigError: an entry point cannot be loaded, or two distributions offer the same name.
        """
        if cls.__module__ == "builtins":
            return
        found = self._entry_points()
        for name in _covering_names(cls):
            # Several threads may load one entry point: a lock here could deadlock with the import lock of its module.
            if name in found and name not in self._loaded and name not in self._in_this_thread():
                yield from self._load(found[name])
                self._loaded.add(name)

    def is_loading(self) -> bool:
        """Return True while this thread loads an entry point."""
        return bool(self._in_this_thread())

    def _entry_points(self) -> dict[str, EntryPoint]:
        if self._found is None:
            found: dict[str, EntryPoint] = {}
            for entry in entry_points(group=GROUP):
                other = found.setdefault(entry.name, entry)
                if other.value != entry.value:
                    raise ConfigError(
                        f"{_distribution(other)} and {_distribution(entry)} both offer the type plug-in {entry.name!r}",
                        hint="uninstall one of the two distributions",
                    )
            self._found = found
        return self._found

    def _load(self, entry: EntryPoint) -> Iterator[TypeTransformer[Any]]:
        self._in_this_thread().add(entry.name)
        try:
            offered: Any = entry.load()
            is_class = isinstance(offered, type) and issubclass(offered, TypeTransformer)
            loaded = offered() if is_class else offered
        except Exception as error:
            raise ConfigError(
                f"the type plug-in {entry.name!r} of {_distribution(entry)} cannot be loaded: {titled(error)}",
                hint="repair or uninstall the distribution",
            ) from error
        finally:
            self._in_this_thread().discard(entry.name)
        if isinstance(loaded, TypeTransformer):
            yield loaded
        elif not isinstance(loaded, ModuleType):  # a module registers its transformers when it is imported
            raise ConfigError(
                f"the type plug-in {entry.name!r} of {_distribution(entry)} is {loaded!r}, not a TypeTransformer",
                hint="the entry point names a TypeTransformer class, an instance, or a module that registers them",
            )

    def _in_this_thread(self) -> set[str]:
        names: set[str] = self._loading.__dict__.setdefault("names", set())
        return names


def _covering_names(cls: type) -> Iterator[str]:
    name = f"{cls.__module__}.{cls.__qualname__}"
    while name:
        yield name
        name = name.rpartition(".")[0]


def _distribution(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else entry.value
