"""Preparation of a process before its first task: the imports of flytemp's runtime and of the user's module."""

from __future__ import annotations

import contextlib
import importlib
import os
from pathlib import Path
from types import ModuleType

from flytemp.authoring.task import Task
from flytemp.runtime.invocation import RuntimeModel
from flytemp.runtime.loader import import_module, use_bundle
from flytemp.store import import_store
from flytemp.task_types import task_type

_RUNTIME_MODULES = (
    "flytemp.authoring.local",
    "flytemp.runtime.process_state",
    "flytemp.types.directory",
    "flytemp.types.file",
)
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
        bundle = None if preparation.bundle is None else Path(preparation.bundle)
        if bundle is not None:
            use_bundle(bundle, preparation.import_roots)
        _prepare_tasks(import_module(preparation.module, bundle))


def _prepare_tasks(module: ModuleType) -> None:
    """Evaluate the annotations of the module's tasks, which every call of a task needs."""
    for value in list(vars(module).values()):
        if isinstance(value, Task):
            with contextlib.suppress(Exception):  # the task itself reports the error
                _ = value.python_interface
