"""Tasks of spec files whose interface is in Python code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from flytemp.compiler.assemble import task_document
from flytemp.compiler.discover import AnyTask, Program, load_program
from flytemp.compiler.yaml.trees import Tree, tree_of
from flytemp.errors import Location, Problem, ProgramError
from flytemp.spec.models import TaskSpec

_FROM_CODE = ("kind", "interface", "settings", "docs")


class CodeReader:
    """Reader of tasks by their loaders, from loaded programs or by importing modules."""

    def __init__(self, program: Program | None, import_roots: Sequence[Path], root: Path) -> None:
        self._programs = [program] if program is not None else []
        self._roots = import_roots
        self._root = root

    def fill(self, tasks: Iterable[tuple[str, Tree]], problems: list[Problem]) -> None:
        """Add the fields of each task that its code has and the file lacks.

        Problems are added to ``problems``. A task with a problem gets an empty interface, so that its other fields can be
        checked.
        """
        wanted = [(file, tree, loader) for file, tree in tasks if (loader := self._loader(file, tree, problems))]
        modules = {self._module(loader) for _, _, loader in wanted if self._find(loader) is None} - {None}
        if modules:
            try:
                self._programs.append(load_program(sorted(module for module in modules if module is not None), self._root))
            except ProgramError as error:
                problems += error.problems
                return
        for file, tree, loader in wanted:
            found = self._find(loader)
            if found is None:
                problems.append(self._not_there(file, tree, loader))
                continue
            program, task = found
            try:
                with program.activated():
                    _fill(tree, task_document(task, None).task)
            except ProgramError as error:
                problems += error.problems

    def _loader(self, file: str, tree: Tree, problems: list[Problem]) -> str:
        """Return the task's loader; empty, with a problem added, if it is not a loader."""
        loader = str(tree.value["loader"].value)
        tree.value["interface"] = Tree({}, tree.line)
        module, _, attribute = loader.partition(":")
        if attribute.isidentifier() and all(part.isidentifier() for part in module.split(".")):
            return loader
        where = Location(file, tree.keys.get("loader", tree.line))
        problems.append(
            Problem(f"the loader {loader!r} cannot be imported", where, "write a loader as package.module:function")
        )
        return ""

    def _not_there(self, file: str, tree: Tree, loader: str) -> Problem:
        where = Location(file, tree.keys.get("loader", tree.line))
        module, _, attribute = loader.partition(":")
        if self._module(loader) is None:
            roots = " or ".join(map(str, self._roots))
            hint = "correct the loader; without its code here, a task needs an interface"
            return Problem(f"there is no module {module!r} in {roots}", where, hint)
        loaders = [task.loader for program in self._programs for task in program.tasks.values()]
        names = sorted(other.partition(":")[2] for other in loaders if other.partition(":")[0] == module)
        return Problem(f"the module {module!r} has no task {attribute!r}", where, f"its tasks: {', '.join(names) or 'none'}")

    def _find(self, loader: str) -> tuple[Program, AnyTask] | None:
        for program in self._programs:
            for task in program.tasks.values():
                if task.loader == loader:
                    return program, task
        return None

    def _module(self, loader: str) -> Path | None:
        """Return the file of a loader's module."""
        for root in self._roots:
            base = root.joinpath(*loader.partition(":")[0].split("."))
            for file in (base.with_name(f"{base.name}.py"), base / "__init__.py"):
                if file.is_file():
                    return file
        return None


def _fill(tree: Tree, spec: TaskSpec) -> None:
    """Add the fields that the file lacks from the task's code."""
    described = spec.model_dump(mode="json", include=set(_FROM_CODE))
    for field in _FROM_CODE:
        if field == "interface" or field not in tree.value:
            tree.value[field] = tree_of(described[field], tree.line)
