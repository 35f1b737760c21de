"""Preparation of a process before its first task: the imports of flytemp's runtime and of the user's module."""

from __future__ import annotations

import importlib
import os
from pathlib import Path

from flytemp.authoring.entity_registry import deferred_checks
from flytemp.runtime.invocation import RuntimeModel
from flytemp.runtime.loader import use_bundle
from flytemp.store import import_store
from flytemp.task_types import task_type

_RUNTIME_MODULES = ("flytemp.authoring.local", "flytemp.runtime.user_errors", "flytemp.types.file", "flytemp.types.directory")
"""Modules that flytemp imports when a task needs them."""


class Preparation(RuntimeModel):
    """Imports of a process.

    Attributes:
        store: URI of the store, whose modules are imported. It is not opened.
        work: folder in which the module is imported.
        module: module of the tasks; "" for tasks without code of the user.
        bundle: folder of the unpacked code bundle; None if the module is imported where it is.
        import_roots: import roots of the bundle.
    """

    store: str
    work: str
    module: str = ""
    bundle: str | None = None
    import_roots: tuple[str, ...] = (".",)


def import_runtime() -> None:
    """Import the modules of flytemp that most tasks need."""
    for name in _RUNTIME_MODULES:
        importlib.import_module(name)
    task_type("python")


def import_program(preparation: Preparation) -> None:
    """Import the client of the store and the user's module, in the folder ``work``.

    Raises:
        BaseException: any exception of the user's module.
    """
    import_store(preparation.store)
    os.makedirs(preparation.work, exist_ok=True)
    os.chdir(preparation.work)
    if preparation.module:
        if preparation.bundle is not None:
            use_bundle(Path(preparation.bundle), preparation.import_roots)
        with deferred_checks():  # other tasks of the module may be broken
            importlib.import_module(preparation.module)
