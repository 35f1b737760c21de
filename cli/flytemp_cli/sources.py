"""Loading of Python modules and spec files (YAML, JSON), and selection of one entity.

Loading runs the user's code; its output is redirected to stderr.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flytemp.errors import NotFound
from flytemp_cli.error_report import InputUsageError
from flytemp_cli.output import stdout_to_stderr

if TYPE_CHECKING:
    from flytemp.compiler import Program
    from flytemp.compiler.yaml.files import ProgramSources
    from flytemp.spec.models import Document

_KIND_ORDER = ("workflow", "task", "launch_plan")


def load_sources(paths: Sequence[str]) -> ProgramSources:
    """Load the modules and spec files at ``paths`` (files or folders).

    Raises:
        InputUsageError: a path does not exist.
        ProgramError: a module cannot be imported.
    """
    for path in paths:
        if not Path(path).exists():
            raise InputUsageError(f"no such file or folder: {path}", hint="the path is relative to the current folder")
    from flytemp.compiler.yaml.files import load_sources

    with stdout_to_stderr():
        return load_sources([Path(path) for path in paths])


@dataclass(frozen=True)
class SelectedEntity:
    """The selected entity.

    Attributes:
        entity: the Python object; None for an entity of a spec file.
        document: the compiled document without code bundle and with unresolved references.
    """

    sources: ProgramSources
    entity: Any
    document: Document

    def workflow(self) -> Document:
        """Return the document of the launch plan's workflow, or the entity's own document."""
        if self.document.kind != "launch_plan":
            return self.document
        if self.entity is not None:
            return _compiled(self.entity.workflow)
        name = self.document.launch_plan.workflow
        return next(one for one in self.documents() if (one.kind, one.name) == ("workflow", name))

    def documents(self) -> list[Document]:
        """Return the entity's document and the documents of everything that it can launch."""
        from flytemp.compiler import compile_closure
        from flytemp.compiler.yaml.files import compile_sources

        with stdout_to_stderr():
            if self.entity is not None and self.sources.program is not None:
                return compile_closure(self.sources.program, self.entity, None)
            return compile_sources(self.sources, None)


def select_entity(sources: ProgramSources, name: str | None, path: str) -> SelectedEntity:
    """Return the entity ``name``, or the only workflow if no name is given.

    An entity of a module is compiled alone, so errors in other parts of the module do not matter. Spec files are compiled
    together.

    Raises:
        NotFound: no entity has that name.
        InputUsageError: no name is given, and the sources do not have exactly one workflow.
        ProgramError: the entity or a dependency does not compile.
    """
    program = sources.program
    if program is not None and (not sources.files or name is not None):
        try:
            entity = _find_in_program(program, name, path)
        except NotFound:
            if not sources.files:
                raise
        else:
            return SelectedEntity(sources, entity, _compiled(entity))
    from flytemp.compiler.yaml.files import compile_sources

    with stdout_to_stderr():
        documents = compile_sources(sources, None)
    if name is None:
        name = _only_workflow([document.name for document in documents if document.kind == "workflow"], path)
    return SelectedEntity(sources, None, _find_document(documents, name, path))


def _find_document(documents: Sequence[Document], name: str, path: str) -> Document:
    by_kind = sorted(documents, key=lambda document: _KIND_ORDER.index(document.kind))
    found = [document for document in by_kind if document.name == name]
    found = found or [document for document in by_kind if document.name.rpartition(".")[2] == name]
    if found:
        return found[0]
    names = ", ".join(dict.fromkeys(document.name for document in by_kind))
    raise NotFound(f"no task, workflow or launch plan '{name}' in {path}", hint=f"{path} defines {names}")


def _find_in_program(program: Program, name: str | None, path: str) -> Any:
    """Return the entity ``name``, or the only workflow of the program if no name is given.

    Raises:
        NotFound: no entity has that name.
        InputUsageError: no name is given, and the program does not have exactly one workflow.
    """
    if name is not None:
        from flytemp.compiler import find_entity

        return find_entity(program, name)
    return program.workflows[_only_workflow(list(program.workflows), path)]


def _only_workflow(names: Sequence[str], path: str) -> str:
    """Return the only name.

    Raises:
        InputUsageError: there is not exactly one.
    """
    if len(names) == 1:
        return names[0]
    if not names:
        raise InputUsageError(f"{path} has no workflow", hint="to run a task, give its name")
    raise InputUsageError(f"{path} has {len(names)} workflows; give the name of one", hint=f"it has {', '.join(sorted(names))}")


def _compiled(entity: Any) -> Document:
    """Return the document of one entity, without a code bundle."""
    from flytemp.compiler import compile_entity

    with stdout_to_stderr():
        document: Document = compile_entity(entity, None)
        return document
