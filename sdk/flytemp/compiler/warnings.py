"""Warnings about programs that compile."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flytemp.authoring.binding import Bound, Constant, Entries, Items
from flytemp.authoring.node import Node
from flytemp.authoring.task import Task
from flytemp.authoring.workflow import Workflow
from flytemp.compiler.assemble import Closure
from flytemp.compiler.discover import Entity, Program
from flytemp.errors import Location, Problem
from flytemp.literals.types import ListType, LiteralType, MapType, TupleType, UnionType
from flytemp.literals.unions import json_kinds
from flytemp.literals.uploads import local_files
from flytemp.literals.visitor import PartialVisitor
from flytemp.spec.models import TaskSettings
from flytemp.task_types import find_task_type


def program_warnings(program: Program, only: Entity | None = None) -> list[Problem]:
    """Return the warnings about a program, or about one of its entities, each with file and line."""
    with program.activated():
        closure = _closure(program, only)
        if closure.problems:
            return []  # compile_program reports the problems; warnings would only distract from them
        warnings = list(_code_warnings(program, closure))
        for task in closure.tasks.values():
            if not task.is_reference:
                warnings += _task_warnings(task)
        for workflow in closure.workflows.values():
            if not workflow.is_reference:
                warnings += _workflow_warnings(workflow)
        warnings += _backend_warnings(closure)
    return [*program.outside, *warnings]


def code_warnings(program: Program, only: Entity) -> list[Problem]:
    """Return the warnings about the code of an entity, which also apply to a local run."""
    with program.activated():
        closure = _closure(program, only)
        return [] if closure.problems else list(_code_warnings(program, closure))


def _closure(program: Program, only: Entity | None) -> Closure:
    whole: list[Entity] = [*program.tasks.values(), *program.workflows.values(), *program.launch_plans.values()]
    closure = Closure(whole=True)
    for entity in whole if only is None else [only]:
        closure.add(entity)
    return closure


def _code_warnings(program: Program, closure: Closure) -> Iterator[Problem]:
    """Yield a warning for each part of the code that has another effect than it seems to have."""
    yield from program.warnings
    for task in closure.tasks.values():
        yield from task.python_interface.warnings
        yield from (Problem(f"task {task.name}: {message}", task.site.location) for message in task.unused_options)
    for plan in closure.launch_plans.values():
        yield from () if plan.is_reference else plan.warnings
    for workflow in closure.workflows.values():
        yield from workflow.python_interface.warnings
        if not workflow.is_reference:
            yield from workflow.graph().warnings


def _task_warnings(task: Task[..., Any]) -> Iterator[Problem]:
    where = task.site.location
    yield from _settings_warnings(f"task {task.name}", task.settings, where)
    if task.settings.deprecated:
        yield Problem(f"task {task.name} is deprecated: {task.settings.deprecated}", where)


def _settings_warnings(owner: str, settings: TaskSettings, where: Location) -> Iterator[Problem]:
    if settings.cache is not None:
        yield Problem(f"{owner}: cache is stored, but this version does not use it: the task runs every time", where)
    if settings.enable_deck:
        yield Problem(f"{owner}: enable_deck is stored, but this version does not write decks", where)


_POD_SETTINGS = {
    "container_image": ("container_image",),
    "resources": ("resources",),
    "accelerator": ("accelerator",),
    "shared_memory": ("shared_memory",),
    "pod_template": ("pod_template", "pod_template_name"),
}


def _backend_warnings(closure: Closure) -> Iterator[Problem]:
    """Yield one warning per setting that has no effect on one backend. The workers' backend is not known at compile time."""
    found: dict[str, list[tuple[str, Location]]] = {}
    for task in closure.tasks.values():
        if not task.is_reference:
            for kind in _pod_settings(task.settings, TaskSettings()):
                found.setdefault(kind, []).append((f"task {task.name}", task.site.location))
    for workflow in closure.workflows.values():
        for node in () if workflow.is_reference else workflow.graph().all_nodes():
            if node.effective_settings is not None and node.callee.settings is not None:
                for kind in _pod_settings(node.effective_settings, node.callee.settings):
                    found.setdefault(kind, []).append((str(node), node.site.location))
    for kind in _POD_SETTINGS:
        if kind in found:
            (owner, where), *others = found[kind]
            more = f" and {len(others)} more" if others else ""
            yield Problem(f"{owner}{more}: {kind}= has no effect on workers that run tasks as processes", where)
    containers = [task for task in closure.tasks.values() if not task.is_reference and _runs_in_container(task)]
    if containers:
        more = f" and {len(containers) - 1} more" if len(containers) > 1 else ""
        message = f"task {containers[0].name}{more}: a container's command runs only on workers that run tasks as pods"
        yield Problem(message, containers[0].site.location)


def _runs_in_container(task: Task[..., Any]) -> bool:
    type_ = find_task_type(task.kind)
    return type_ is not None and type_.container(task.spec()) is not None


def _pod_settings(settings: TaskSettings, other: TaskSettings) -> Iterator[str]:
    """Yield the kinds of pod settings that ``settings`` set and ``other`` does not set in the same way."""
    for kind, names in _POD_SETTINGS.items():
        if any((value := getattr(settings, name)) is not None and value != getattr(other, name) for name in names):
            yield kind


def _workflow_warnings(workflow: Workflow[..., Any]) -> Iterator[Problem]:
    for variable in workflow.interface.inputs:
        for path in () if variable.required else local_files(variable.default, variable.type):
            yield _local_file(f"the default of input '{variable.name}' of workflow {workflow.name}", path, workflow.site.location)
    for node in workflow.graph().all_nodes():
        settings = node.effective_settings
        if settings is not None and settings != node.callee.settings:
            yield from _settings_warnings(str(node), settings, node.site.location)
        yield from _constant_warnings(node)


def _constant_warnings(node: Node) -> Iterator[Problem]:
    types = node.callee.python_interface.input_types
    for name, bound in node.bindings.items():
        for path in _bound_files(bound, types[name]) if name in types else ():
            yield _local_file(f"input '{name}' of {node}", path, node.site.location)


def _local_file(what: str, path: str, where: Location) -> Problem:
    return Problem(
        f"{what} is the local file {path}, which other machines cannot read", where, "pass it as an input when launching"
    )


def _bound_files(bound: Bound, type_: LiteralType) -> Iterator[str]:
    return _BOUND_FILES.visit(type_, bound)


class _BoundFiles(PartialVisitor[Bound, Iterator[str]]):
    """Iterate over the local paths in the constants of a binding."""

    def visit(self, type_: LiteralType, argument: Bound) -> Iterator[str]:
        return iter(local_files(argument.literal, type_)) if isinstance(argument, Constant) else super().visit(type_, argument)

    def visit_other(self, type_: LiteralType, argument: Bound) -> Iterator[str]:
        return iter(())

    def visit_union(self, type_: UnionType, argument: Bound) -> Iterator[str]:
        kind = "array" if isinstance(argument, Items) else "object"
        fitting = [variant for variant in type_.variants if kind in json_kinds(variant)]
        if len(fitting) == 1:
            yield from self.visit(fitting[0], argument)

    def visit_list(self, type_: ListType, argument: Bound) -> Iterator[str]:
        for item in argument.items if isinstance(argument, Items) else ():
            yield from self.visit(type_.item, item)

    def visit_tuple(self, type_: TupleType, argument: Bound) -> Iterator[str]:
        for item, item_type in zip(argument.items if isinstance(argument, Items) else (), type_.items, strict=False):
            yield from self.visit(item_type, item)

    def visit_map(self, type_: MapType, argument: Bound) -> Iterator[str]:
        for item in argument.entries.values() if isinstance(argument, Entries) else ():
            yield from self.visit(type_.value, item)


_BOUND_FILES = _BoundFiles()
