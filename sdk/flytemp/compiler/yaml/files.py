"""Programs of Python modules and spec files: both are found and compiled together.

A spec file is YAML or JSON that holds documents. In a folder its name is ``*.flytemp.yaml``, ``.yml`` or ``.json``. A
file given by path may have any name with one of these suffixes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from flytemp.bundle.ignore_rules import IgnoreRules
from flytemp.bundle.packing import find_project_root
from flytemp.compiler.discover import Program, load_program, refuse_during_import
from flytemp.compiler.documents import compile_program
from flytemp.compiler.failures import unique
from flytemp.compiler.yaml.code import CodeReader
from flytemp.compiler.yaml.documents import YamlSource, complete_documents, validated
from flytemp.compiler.yaml.forms import Expander
from flytemp.compiler.yaml.trees import Tree, read_trees
from flytemp.errors import InputError, Location, Problem, ProgramError
from flytemp.spec.canonical import AnyDocument
from flytemp.spec.models import BundleRef

SUFFIXES = (".yaml", ".yml", ".json")
IN_FOLDERS = tuple(f".flytemp{suffix}" for suffix in SUFFIXES)


@dataclass(frozen=True, slots=True)
class SpecFile:
    """Spec file, and the folder from which its code is imported."""

    path: Path
    import_root: Path

    @property
    def relative(self) -> str:
        return self.path.relative_to(self.import_root).as_posix()


@dataclass(frozen=True, slots=True)
class ProgramSources:
    """Modules and files that are registered together. ``root`` is the folder to bundle; ``import_roots`` are relative to it."""

    program: Program | None
    files: tuple[SpecFile, ...]
    root: Path
    import_roots: tuple[str, ...]


def load_sources(paths: Sequence[Path], root: Path | None = None) -> ProgramSources:
    """Import the modules and find the spec files under ``paths``, which are files and folders.

    Raises:
        ProgramError, NotFound, InputError: like `flytemp.compiler.load_program`.
    """
    refuse_during_import()
    paths = [Path(path) for path in paths]
    files = [file for path in paths for file in _spec_files(path)]
    modules = [path for path in paths if not _is_spec_file(path)]
    roots = list(dict.fromkeys([*(find_project_root(path) for path in modules), *(file.import_root for file in files)]))
    top = Path(os.path.abspath(root)) if root is not None else Path(os.path.commonpath(roots or [Path.cwd()]))
    for folder in roots:
        if not folder.is_relative_to(top):
            raise InputError(f"{folder} is not inside the root {top}", hint="choose a root that holds all paths")
    program = load_program(modules, top if files else root) if modules or not files else None
    if program is not None and not files:
        return ProgramSources(program, (), program.root, program.import_roots)
    relative = tuple(os.path.relpath(folder, top).replace(os.sep, "/") for folder in roots)
    return ProgramSources(program, tuple(dict.fromkeys(files)), top, relative)


def compile_sources(sources: ProgramSources, bundle: BundleRef | None) -> list[AnyDocument]:
    """Return the documents of all entities of the modules and the spec files.

    Every workflow has a launch plan of its own name. A document may call entities of other files and modules.

    Raises:
        ProgramError: with all problems, each with file and line.
    """
    if sources.program is not None and not sources.files:
        return compile_program(sources.program, bundle)
    problems: list[Problem] = []
    compiled = _compiled(sources.program, bundle, problems)
    written = _read(sources, problems)
    if problems:
        raise ProgramError(unique(problems))
    documents = complete_documents(written, compiled, bundle, problems)
    if not documents and not compiled and not problems:
        problems.append(Problem("there is no document", Location(str(sources.files[0].path), 1), "kind: workflow"))
    if problems:
        raise ProgramError(unique(problems))
    return [*compiled, *documents]


def _compiled(program: Program | None, bundle: BundleRef | None, problems: list[Problem]) -> list[AnyDocument]:
    """Return the documents of the modules. Modules may have no entities if there are spec files."""
    if program is None or not (program.tasks or program.workflows or program.launch_plans or program.problems):
        return []
    try:
        return compile_program(program, bundle)
    except ProgramError as error:
        problems += error.problems
        return []


def _read(sources: ProgramSources, problems: list[Problem]) -> list[YamlSource]:
    """Return the documents of the spec files, completed from code."""
    expanded: list[tuple[Expander, SpecFile, list[Tree]]] = []
    for file in sources.files:
        expander = Expander(str(file.path), file.relative)
        try:
            trees = [expander.document(tree) for tree in read_trees(_text(file.path), str(file.path))]
        except ProgramError as error:
            problems += error.problems
            continue
        expanded.append((expander, file, [tree for tree in trees if tree is not None]))
        problems += expander.problems
    roots = [sources.root / root for root in sources.import_roots]
    incomplete = [(str(file.path), task) for expander, file, _ in expanded for task in expander.incomplete]
    CodeReader(sources.program, roots, sources.root).fill(incomplete, problems)
    return [
        written
        for _, file, trees in expanded
        for tree in trees
        if (written := validated(tree, str(file.path), problems)) is not None
    ]


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        problem = Problem(f"the file is not UTF-8: {error.reason}", Location(str(path), 1), "save the file as UTF-8")
        raise ProgramError([problem]) from None


def _is_spec_file(path: Path) -> bool:
    return path.is_file() and path.name.endswith(SUFFIXES)


def _spec_files(path: Path) -> Iterator[SpecFile]:
    absolute = Path(os.path.abspath(path))
    if _is_spec_file(absolute):
        yield SpecFile(absolute, find_project_root(absolute))
    elif absolute.is_dir():
        import_root = find_project_root(absolute)
        rules = IgnoreRules.of_root(import_root)
        folder = import_root
        for part in absolute.relative_to(import_root).parts:
            folder = folder / part
            rules = rules.within(folder)
        for file in _below(absolute, rules):
            yield SpecFile(file, import_root)


def _below(folder: Path, rules: IgnoreRules) -> Iterator[Path]:
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith(".") or rules.excludes(entry, is_folder=entry.is_dir()):
            continue
        if entry.is_dir():
            yield from _below(entry, rules.within(entry))
        elif entry.name.endswith(IN_FOLDERS):
            yield entry
