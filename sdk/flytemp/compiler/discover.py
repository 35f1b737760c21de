"""Loader of programs: it imports the modules and collects their entities."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from flytemp.authoring.entity_registry import ProgramEntities, collect_entities, collect_into, deferred_checks
from flytemp.authoring.launch_plan import LaunchPlan
from flytemp.authoring.task import Task
from flytemp.authoring.unsupported import UnsupportedEntity
from flytemp.authoring.workflow import Workflow
from flytemp.compiler.failures import problems_of, unique
from flytemp.compiler.imports import ModuleSpace
from flytemp.compiler.modules import ModuleFile, module_files
from flytemp.compiler.surroundings import Surroundings, surroundings_warnings
from flytemp.errors import FlytempError, InputError, Location, Problem, ProgramError

_importing: ContextVar[str | None] = ContextVar("flytemp_importing_module", default=None)
"""Name of the module that `load_program` imports. Threads that asyncio starts for the module's code have it as well."""

AnyTask: TypeAlias = Task[..., Any]
AnyWorkflow: TypeAlias = Workflow[..., Any]
AnyLaunchPlan: TypeAlias = LaunchPlan[Any]
Entity: TypeAlias = AnyTask | AnyWorkflow | AnyLaunchPlan


@dataclass
class Program:
    """Entities of the user's modules, by registered name.

    The program that was loaded last can be used directly, unless this process has modules of the same names. In all
    other cases use a program inside ``with program.activated():``, because its code may import modules later.

    Attributes:
        root: the directory that a bundle packs.
        import_roots: directories in it, relative, that go onto ``sys.path``.
        variables: the entities in module-level variables of each name, in any module.
        files: the files of the modules that were requested.
        problems: problems found by the loader; `compile_program` reports them.
        warnings: warnings found by the loader; `program_warnings` returns them.
        outside: warnings about code outside of the bundle, which workers do not have.
    """

    root: Path
    import_roots: tuple[str, ...]
    tasks: dict[str, AnyTask] = field(default_factory=dict)
    workflows: dict[str, AnyWorkflow] = field(default_factory=dict)
    launch_plans: dict[str, AnyLaunchPlan] = field(default_factory=dict)
    variables: dict[str, list[Entity]] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    outside: list[Problem] = field(default_factory=list)
    space: ModuleSpace = field(default_factory=lambda: ModuleSpace(()), repr=False)
    created: ProgramEntities = field(default_factory=ProgramEntities, repr=False)

    @contextmanager
    def activated(self) -> Iterator[Program]:
        """Make the program's modules importable, and the modules of other programs not."""
        with self.space.activated(), collect_into(self.created):
            yield self


def load_program(paths: Sequence[Path], root: Path | None = None) -> Program:
    """Import the modules under ``paths``, which are files and directories, and return their entities.

    Args:
        paths: files and directories.
        root: the directory to bundle; by default the import root of the paths, or the common parent of several roots.

    Raises:
        ProgramError: with one problem for each module that cannot be imported, at the user's line.
        NotFound, InputError: for paths that do not exist or are not Python modules.
    """
    refuse_during_import()
    files = module_files([Path(path) for path in paths], root)
    program = Program(
        files.root,
        tuple(os.path.relpath(import_root, files.root).replace(os.sep, "/") for import_root in files.import_roots),
        files=tuple(module.file for module in files.modules),
        space=ModuleSpace(files.import_roots),
    )
    before = Surroundings.now()
    with program.activated(), collect_entities() as created, deferred_checks():
        problems = [problem for module in files.modules for problem in _imported(module)]
        if problems:
            raise ProgramError(unique(problems))
        names = {module.name for module in files.modules}
        _collect(program, names, created)
        program.created.launch_plans = created.launch_plans
        program.outside = surroundings_warnings(before, files.root, program.space.modules())
        for task in program.tasks.values():
            _warm(task)
        for workflow in program.workflows.values():
            _warm(workflow)
    program.space.stay()
    return program


def refuse_during_import() -> None:
    """Refuse to load or launch a program in code that is itself imported by `load_program`, or on its behalf.

    A registration would import the modules inside of their own import, and another thread would wait for that without end. A
    launch would start an execution at each import, also of the worker.

    Raises:
        InputError: the code runs during such an import.
    """
    module = _importing.get()
    if module is not None:
        raise InputError(
            f"the module '{module}' registers, runs or launches a program while it is imported itself",
            hint="put the call below `if __name__ == '__main__':`, or into a function",
        )


def _warm(entity: AnyTask | AnyWorkflow) -> None:
    """Read annotations and variables while the modules are importable. The compiler reports errors."""
    if isinstance(entity, Task):
        _ = entity.loader
    try:
        _ = entity.python_interface
    except FlytempError as error:
        error.__traceback__ = None


def _imported(module: ModuleFile) -> list[Problem]:
    """Import a module and return the problems of the import."""
    first = module.name.partition(".")[0]
    if first in sys.stdlib_module_names or first.startswith("flytemp"):
        owner = "flytemp" if first.startswith("flytemp") else "Python"
        return [
            Problem(
                f"module '{module.name}' has the name of a module of {owner}", Location(str(module.file), 1), "rename the file"
            )
        ]
    token = _importing.set(module.name)
    try:
        loaded = importlib.import_module(module.name)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - it is the user's code: anything may be raised
        return problems_of(error, f"importing module '{module.name}'", module.import_root)
    finally:
        _importing.reset(token)
    origin = getattr(loaded, "__file__", None)
    if origin is not None and Path(origin) != module.file and not os.path.samefile(origin, module.file):
        return [
            Problem(
                f"module '{module.name}' is imported from {origin}",
                Location(str(module.file), 1),
                "two modules have this name: rename one",
            )
        ]
    return []


def _collect(program: Program, names: set[str], created: ProgramEntities) -> None:
    """Add the entities of the modules with these names."""
    for name in sorted(names):
        for variable, value in vars(sys.modules[name]).items():
            if isinstance(value, Task | Workflow | LaunchPlan) and _modules_of(value) & names:
                program.variables.setdefault(variable, [])
                if value not in program.variables[variable]:
                    program.variables[variable].append(value)
                _add(program, value)
            elif isinstance(value, UnsupportedEntity) and value.site.module in names:
                problem = value.problem
                program.problems.append(Problem(problem.message, problem.location, problem.hint))
    for plan in created.launch_plans.values():
        if plan.site.module in names:
            _add(program, plan)
    _report_same_names(program, created.entities or (), names)
    program.problems = unique(program.problems)


def _modules_of(entity: Entity) -> set[str]:
    return {entity.site.module} if isinstance(entity, LaunchPlan) else {entity.module, entity.site.module}


def _add(program: Program, entity: Entity) -> None:
    if entity.is_reference:
        return  # its target is registered by another program
    if isinstance(entity, Task):
        program.tasks.setdefault(entity.name, entity)
    elif isinstance(entity, Workflow):
        program.workflows.setdefault(entity.name, entity)
    elif entity.name != entity.workflow.name or entity.default_inputs or entity.fixed_inputs:
        # A workflow's default launch plan is not listed: every workflow has one.
        program.launch_plans.setdefault(entity.name, entity)


def _report_same_names(program: Program, created: Iterable[AnyTask | AnyWorkflow], names: set[str]) -> None:
    """Add a problem for two entities of one name, or a warning if no variable holds one of them.

    A call of an entity that no variable holds is a problem of the caller.
    """
    held = {id(entity) for entities in program.variables.values() for entity in entities}
    first: dict[str, AnyTask | AnyWorkflow] = {}
    for entity in created:
        other = first.setdefault(entity.name, entity)
        if other is entity or entity.module not in names:
            continue
        if id(entity) not in held:
            program.warnings.append(_replaced(entity, other))
        elif id(other) not in held:
            program.warnings.append(_replaced(other, entity))
            first[entity.name] = entity
        else:
            message = (
                f"two entities are named '{entity.name}': this {entity.kind_name}, and the {other.kind_name} at "
                f"{other.site.location}"
            )
            program.problems.append(Problem(message, entity.site.location, "rename one of the functions"))


def _replaced(entity: AnyTask | AnyWorkflow, other: AnyTask | AnyWorkflow) -> Problem:
    message = f"{entity.kind_name} {entity.name} is not registered: the {other.kind_name} at {other.site.location} has its name"
    return Problem(message, entity.site.location, "rename one of the functions")
