"""Registry of task types by kind."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import Any

from flytemp.error_text import titled
from flytemp.errors import AlreadyExists, ConfigError, NotFound, Problem
from flytemp.spec.tasks import TaskSpec
from flytemp.task_types.base import TaskType

GROUP = "flytemp.task_types"
"""Entry point group of task types."""

REFERENCE = "reference"
"""Kind of the placeholder for a task of another project, domain or version. It has no type: registration replaces it."""

_BUILT_IN = {
    "python": "flytemp.task_types.python:PythonTaskType",
    "dynamic": "flytemp.task_types.python:DynamicTaskType",
    "container": "flytemp.task_types.container:ContainerTaskType",
    "shell": "flytemp.task_types.shell:ShellTaskType",
    "echo": "flytemp.task_types.echo:EchoTaskType",
}
"""Classes that are imported when their kind is first used: a pod imports only the type that it runs."""

_types: dict[str, TaskType] = {}
_lock = threading.Lock()


def register(new: TaskType) -> None:
    """Register a task type in this process.

    Raises:
        AlreadyExists: another class has the kind.
    """
    with _lock:
        known = _types.get(new.kind)
        if (known is not None and type(known) is not type(new)) or (known is None and new.kind in _BUILT_IN):
            raise AlreadyExists(f"there is another task type of the kind {new.kind!r}", hint="choose another kind")
        _types[new.kind] = new


def find_task_type(kind: str) -> TaskType | None:
    """Return the type of the kind: registered, built in, or offered by an entry point; None if there is none.

    Raises:
        ConfigError: an entry point cannot be loaded or does not name a task type.
    """
    known = _types.get(kind)
    if known is None and (loaded := _load(kind)) is not None:
        known = _types.setdefault(kind, loaded)  # another thread may have been faster
    return known


def task_type(kind: str) -> TaskType:
    """Return the type of the kind.

    Raises:
        NotFound: no installed package offers it.
        ConfigError: as `find_task_type`.
    """
    found = find_task_type(kind)
    if found is None:
        raise NotFound(f"there is no task type of the kind {kind!r}", hint=f"install its package; {known_kinds()}")
    return found


def known_kinds() -> str:
    """Return the list of the available kinds for a hint."""
    offered = {entry.name for entry in entry_points(group=GROUP)}
    return f"the kinds here are {', '.join(sorted({*_BUILT_IN, *_types, *offered}))}"


def _load(kind: str) -> TaskType | None:
    if kind in _BUILT_IN:
        module, _, name = _BUILT_IN[kind].partition(":")
        built_in: TaskType = getattr(importlib.import_module(module), name)()
        return built_in
    for entry in entry_points(group=GROUP, name=kind):
        try:
            cls: Any = entry.load()
        except Exception as error:
            text = f"the task type {kind!r} cannot be loaded from {entry.value}: {titled(error)}"
            raise ConfigError(text, hint="repair or uninstall its package") from error
        if not (isinstance(cls, type) and issubclass(cls, TaskType) and cls.kind == kind):
            raise ConfigError(f"the entry point {entry.value} does not name a task type of the kind {kind!r}")
        return cls()
    return None


def normalised_task(task: TaskSpec) -> TaskSpec:
    """Return the task as its type normalises it. A task whose type is not installed here stays as it is."""
    found = find_task_type(task.kind)
    return task if found is None else found.normalised(task)


def task_type_problems(task: TaskSpec) -> Iterator[Problem]:
    """Yield the problems that the type of a task finds in its spec. A type that is not installed here finds none."""
    if task.container is not None and task.kind != "container":
        yield Problem(f"is a {task.kind} task and has the field 'container'", hint="kind: container")
    elif task.kind != REFERENCE and (found := find_task_type(task.kind)) is not None:
        yield from found.problems(task)
