"""Register a program: compile, bundle, store. Needs the store and no Temporal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flytemp.bundle import pack, store_bundle
from flytemp.compiler import Entity, Program, compile_closure, content_version, program_warnings
from flytemp.compiler.link import link_documents
from flytemp.compiler.yaml.files import Sources, compile_sources, load_sources
from flytemp.errors import Problem, ProgramError
from flytemp.names import check_version
from flytemp.registry import RegistrationEntry, Registry
from flytemp.registry.platform_limits import PlatformLimits, over_limits, read_limits
from flytemp.spec.canonical import AnyDocument
from flytemp.spec.models import BundleRef
from flytemp.store.object_store import ObjectStore


@dataclass(frozen=True, slots=True)
class Registration:
    """What a registration did, or would do when ``dry_run``."""

    version: str
    bundle: BundleRef
    files: tuple[str, ...]
    entries: list[RegistrationEntry]
    warnings: list[Problem]
    dry_run: bool


def register_paths(
    store: ObjectStore,
    paths: Sequence[Path],
    *,
    project: str,
    domain: str,
    version: str | None = None,
    dry_run: bool = False,
    task_queue: str | None = None,
) -> Registration:
    """Load the modules and spec files at ``paths`` and register what they define; see `register_program`."""
    return register_program(
        store, load_sources(paths), project=project, domain=domain, version=version, dry_run=dry_run, task_queue=task_queue
    )


def register_program(
    store: ObjectStore,
    program: Program | Sources,
    *,
    project: str,
    domain: str,
    version: str | None = None,
    dry_run: bool = False,
    only: Entity | None = None,
    task_queue: str | None = None,
) -> Registration:
    """Compile the program, bundle its code and publish its tasks, workflows and launch plans, all or nothing.

    References are replaced by what the registry holds now, and the version that they have now.

    ``version`` is by default a hash of the content, so that the same program is the same version. ``only`` registers
    one entity of the modules and what it refers to: other parts of them may be broken. ``task_queue`` is that of the workers
    whose limits the tasks are to keep.

    Raises:
        ProgramError: the program does not compile, a reference leads nowhere, or a task asks for more than the platform
            gives; nothing was stored.
        AlreadyExists: the version is taken by other content; nothing was registered.
        StoreError: the store refused; "latest" still means what it meant before.
    """
    if version is not None:
        check_version(version)
    sources = program if isinstance(program, Sources) else Sources(program, (), program.root, program.import_roots)
    bundle = pack(sources.root, sources.import_roots)
    registry = Registry(store)
    documents = link_documents(_compiled(sources, only, bundle.ref), registry)
    excesses = _check_limits(store, documents, task_queue, project, domain)
    chosen = version or content_version(documents)
    if dry_run:
        entries = registry.preview(documents, project=project, domain=domain, version=chosen)
    else:
        store.check_writable()
        store_bundle(store, bundle)
        entries = registry.register(documents, project=project, domain=domain, version=chosen)
    warnings = program_warnings(sources.program, only) if sources.program is not None else []
    return Registration(chosen, bundle.ref, bundle.files, entries, [*warnings, *excesses], dry_run)


def _check_limits(
    store: ObjectStore, documents: Sequence[AnyDocument], task_queue: str | None, project: str, domain: str
) -> list[Problem]:
    """What tasks ask for beyond the platform's limits, where they then get less.

    Raises:
        ProgramError: the platform refuses such tasks.
    """
    known = read_limits(store, task_queue) if task_queue is not None else PlatformLimits()
    problems = over_limits(documents, known, project, domain)
    if problems and known.refuse:
        raise ProgramError(problems)
    return problems


def _compiled(sources: Sources, only: Entity | None, bundle: BundleRef) -> list[AnyDocument]:
    if only is None or sources.program is None:
        return compile_sources(sources, bundle)
    return compile_closure(sources.program, only, bundle)
