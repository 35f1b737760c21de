"""What compiles and may still surprise."""

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
from flytemp.literals.types import BlobType, Json, ListType, LiteralType, MapType, StructType, TupleType, UnionType
from flytemp.spec.models import TaskSettings


def program_warnings(program: Program, only: Entity | None = None) -> list[Problem]:
    """What the user should know of a program, or of one entity of it, that compiles, each with file and line."""
    entities: list[Entity] = [*program.tasks.values(), *program.workflows.values()] if only is None else [only]
    with program.activated():
        closure = Closure(whole=True)
        for entity in entities:
            closure.add(entity)
        if closure.problems:
            return []  # compile_program reports them; half a program's warnings would only hide that
        warnings = [warning for task in closure.tasks.values() if not task.is_reference for warning in _of_task(task)]
        for workflow in closure.workflows.values():
            if not workflow.is_reference:
                warnings += _of_workflow(workflow)
    return warnings


def _of_task(task: Task[..., Any]) -> Iterator[Problem]:
    where = task.place.location
    yield from _of_settings(f"task {task.name}", task.settings, where)
    if task.settings.deprecated:
        yield Problem(f"task {task.name} is deprecated: {task.settings.deprecated}", where)


def _of_settings(owner: str, settings: TaskSettings, where: Location) -> Iterator[Problem]:
    if settings.cache is not None:
        yield Problem(f"{owner}: cache is stored, but this version runs it every time", where)
    if settings.container_image is not None:
        image = settings.container_image
        yield Problem(f"{owner}: container_image {image} is stored, but tasks run in the worker's own environment", where)
    if settings.enable_deck:
        yield Problem(f"{owner}: enable_deck is stored, but this version makes no decks", where)


def _of_workflow(workflow: Workflow[..., Any]) -> Iterator[Problem]:
    for variable in workflow.interface.inputs:
        for path in _local_files(variable.default, variable.type):
            yield _local(f"the default of input '{variable.name}' of workflow {workflow.name}", path, workflow.place.location)
    for node in workflow.graph().all_nodes():
        settings = node.effective_settings
        if settings is not None and settings != node.callee.settings:
            yield from _of_settings(str(node), settings, node.place.location)
        yield from _of_constants(node)


def _of_constants(node: Node) -> Iterator[Problem]:
    types = node.callee.python_interface.input_types
    for name, bound in node.bindings.items():
        for path in _bound_files(bound, types[name]) if name in types else ():
            yield _local(f"input '{name}' of {node}", path, node.place.location)


def _local(what: str, path: str, where: Location) -> Problem:
    return Problem(
        f"{what} is the file {path} of this machine: no other machine can read it", where, "pass it as an input when launching"
    )


def _bound_files(bound: Bound, type_: LiteralType) -> Iterator[str]:
    match bound, type_:
        case Constant(), _:
            yield from _local_files(bound.literal, type_)
        case Items() | Entries(), UnionType():
            for variant in type_.variants:
                yield from _bound_files(bound, variant)
        case Items(), ListType():
            for item in bound.items:
                yield from _bound_files(item, type_.item)
        case Items(), TupleType():
            for item, item_type in zip(bound.items, type_.items, strict=False):
                yield from _bound_files(item, item_type)
        case Entries(), MapType():
            for item in bound.entries.values():
                yield from _bound_files(item, type_.value)


def _local_files(literal: Json, type_: LiteralType) -> Iterator[str]:
    """Paths without a protocol, where the type says that there is a file or directory."""
    match type_, literal:
        case BlobType(), {"uri": str(uri)} if "://" not in uri:
            yield uri
        case ListType(), list():
            for item in literal:
                yield from _local_files(item, type_.item)
        case TupleType(), list():
            for item, item_type in zip(literal, type_.items, strict=False):
                yield from _local_files(item, item_type)
        case MapType(), dict():
            for item in literal.values():
                yield from _local_files(item, type_.value)
        case StructType(), dict():
            for member in type_.fields:
                yield from _local_files(literal.get(member.name), member.type)
        case UnionType(), _:
            for variant in type_.variants:
                yield from _local_files(literal, variant)
