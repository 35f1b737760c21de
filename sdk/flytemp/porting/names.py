"""Objects of flytemp for the names of flytekit."""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

from flytemp.porting.alternatives import alternative

_FLYTEKIT, _FLYTEMP = "flytekit", "flytemp"

_HOMES = {
    "flytekit.core.array_node_map_task": ("authoring.mapping",),
    "flytekit.core.environment": ("authoring.unsupported",),
    "flytekit.core.hash": ("authoring.unsupported",),
    "flytekit.core.node": ("authoring.node",),
    "flytekit.core.testing": ("testing",),
    "flytekit.deck.deck": ("authoring.settings", "authoring.unsupported"),
    "flytekit.image_spec.image_spec": ("image_spec",),
    "flytekit.models.concurrency": ("authoring.unsupported",),
    "flytekit.models.documentation": ("authoring.documentation",),
    "flytekit.remote.remote": ("authoring.unsupported",),
    "flytekit.types.directory.types": ("types.directory",),
    "flytekit.types.file.file": ("types.file",),
    "flytekit.types.iterator.json_iterator": ("types.iterator",),
    "flytekit.types.structured.structured_dataset": ("authoring.unsupported",),
}
"""Modules of flytemp that have the names of a module of flytekit, where it is not the module of the same path."""


class Origin(NamedTuple):
    """Module of flytekit that defines a name, and the name there; an empty name means the module itself."""

    module: str
    name: str
    is_exception: bool = False


@cache
def _modules() -> dict[str, dict[str, Origin]]:
    """Return the origin of each name of each module of flytekit."""
    modules: dict[str, dict[str, Origin]] = {}
    exceptions: set[tuple[str, str]] = set()
    module = ""
    for line in Path(__file__).with_name("flytekit.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("  "):
            source, _, names = line.strip().partition("= ")
            for word in names.split():
                name, colon, original = word.rstrip("!").partition(":")
                modules[module][name] = Origin(source.strip() or module, original if colon else name)
                if word.endswith("!"):
                    exceptions.add((module, name))
        elif not line.startswith("#"):
            module = line
            modules[module] = {}
    return {
        module: {name: origin._replace(is_exception=origin[:2] in exceptions) for name, origin in names.items()}
        for module, names in modules.items()
    }


def module_paths() -> list[str]:
    """Return flytemp's paths of all modules of flytekit, the parents before their children."""
    return [_ours(module) for module in _modules()]


def has_module(path: str) -> bool:
    """Return whether flytekit has the module at a path of flytemp."""
    return _theirs(path) in _modules()


def names_of(path: str) -> list[str]:
    """Return the names of flytekit's module at a path of flytemp."""
    return sorted(_modules()[_theirs(path)])


def find_name(path: str, name: str) -> object:
    """Return the object for a name of the module at a path of flytemp.

    Returns:
        flytemp's object; a module; or a class that raises NotSupported when it is used.

    Raises:
        AttributeError: flytekit's module does not have the name.
    """
    modules, theirs = _modules(), _theirs(path)
    if f"{theirs}.{name}" in modules:
        return importlib.import_module(f"{path}.{name}")
    origin = modules.get(theirs, {}).get(name)
    if origin is None:
        raise AttributeError(f"module {path!r} has no attribute {name!r}")
    return _object(origin)


@cache
def _object(origin: Origin) -> object:
    if not origin.name:
        return importlib.import_module(_ours(origin.module))
    homes = [f"{_FLYTEMP}.{home}" for home in _HOMES.get(origin.module, ())]
    for home in [*homes, _ours(origin.module)]:
        module = importlib.import_module(home)
        if origin.name in vars(module):
            return vars(module)[origin.name]
    from flytemp.authoring.unsupported import unsupported_class, unsupported_exception

    home = _ours(origin.module)
    if origin.is_exception:
        return unsupported_exception(origin.name, home)
    return unsupported_class(origin.name, home, alternative(origin.module, origin.name))


def _theirs(path: str) -> str:
    return path.replace(_FLYTEMP, _FLYTEKIT, 1)


def _ours(module: str) -> str:
    return module.replace(_FLYTEKIT, _FLYTEMP, 1)
