"""Loading the user's modules, and spec files in YAML and JSON, and choosing what one of them defines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flytemp.errors import NotFound
from flytemp_cli.failures import InputUsageError
from flytemp_cli.output import prints_to_stderr
from flytemp_cli.program_loading import choose, compiled, only_workflow

if TYPE_CHECKING:
    from flytemp.compiler.yaml.files import Sources
    from flytemp.spec.models import Document

_ORDER = ("workflow", "task", "launch_plan")


def load_sources(paths: Sequence[str]) -> Sources:
    """The modules and spec files that these files and folders are or hold.

    Raises:
        InputUsageError: a path does not exist.
        ProgramError: a module does not import.
    """
    for path in paths:
        if not Path(path).exists():
            raise InputUsageError(f"there is no file or folder {path}", hint="check the path: it is relative to this folder")
    from flytemp.compiler.yaml.files import load_sources

    with prints_to_stderr():
        return load_sources([Path(path) for path in paths])


@dataclass(frozen=True)
class Chosen:
    """One entity of what was loaded.

    Attributes:
        entity: what a module defines; None when a spec file does.
        document: without a code bundle, and with its references as they are written.
    """

    sources: Sources
    entity: Any
    document: Document

    def workflow(self) -> Document:
        """The document of a launch plan's workflow; else its own."""
        if self.document.kind != "launch_plan":
            return self.document
        if self.entity is not None:
            return compiled(self.entity.workflow)
        name = self.document.launch_plan.workflow
        return next(one for one in self.documents() if (one.kind, one.name) == ("workflow", name))

    def documents(self) -> list[Document]:
        """Its own document, and those of all that it may launch."""
        from flytemp.compiler import compile_closure
        from flytemp.compiler.yaml.files import compile_sources

        with prints_to_stderr():
            if self.entity is not None and self.sources.program is not None:
                return compile_closure(self.sources.program, self.entity, None)
            return compile_sources(self.sources, None)


def choose_one(sources: Sources, name: str | None, path: str) -> Chosen:
    """The entity called ``name``, or the only workflow there is.

    What a module defines is compiled by itself: other parts of the modules may be broken. Spec files are compiled together.

    Raises:
        NotFound: nothing is called ``name``.
        InputUsageError: no name is given, and there is not exactly one workflow.
        ProgramError: what it needs does not compile.
    """
    program = sources.program
    if program is not None and (not sources.files or name is not None):
        try:
            entity = choose(program, name, path)
        except NotFound:
            if not sources.files:
                raise
        else:
            return Chosen(sources, entity, compiled(entity))
    from flytemp.compiler.yaml.files import compile_sources

    with prints_to_stderr():
        documents = compile_sources(sources, None)
    if name is None:
        name = only_workflow([document.name for document in documents if document.kind == "workflow"], path)
    return Chosen(sources, None, _called(documents, name, path))


def _called(documents: Sequence[Document], name: str, path: str) -> Document:
    by_kind = sorted(documents, key=lambda document: _ORDER.index(document.kind))
    found = [document for document in by_kind if document.name == name]
    found = found or [document for document in by_kind if document.name.rpartition(".")[2] == name]
    if found:
        return found[0]
    names = ", ".join(dict.fromkeys(document.name for document in by_kind))
    raise NotFound(f"there is no task, workflow or launch plan '{name}' in {path}", hint=f"it has {names}")
