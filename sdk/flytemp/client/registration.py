"""Register a program: compile, bundle, store. Needs the store and no Temporal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flytemp.bundle import pack, store_bundle
from flytemp.compiler import Entity, Program, compile_closure, content_version, program_warnings
from flytemp.compiler.link import link_documents
from flytemp.compiler.spec_files import Sources, compile_sources, load_sources
from flytemp.errors import Problem
from flytemp.names import check_version
from flytemp.registry import RegistrationEntry, Registry
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
) -> Registration:
    """Load the modules and spec files at ``paths`` and register what they define; see `register_program`."""
    return register_program(
        store, load_sources(paths), project=project, domain=domain, version=version, dry_run=dry_run
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
) -> Registration:
    """Compile the program, bundle its code and publish its tasks, workflows and launch plans, all or nothing.

    References are replaced by what the registry holds now, and the version that they have now.

    ``version`` is by default a hash of the content, so that the same program is the same version. ``only`` registers
    one entity of the modules and what it refers to: other parts of them may be broken.

    Raises:
        ProgramError: the program does not compile, or a reference leads nowhere; nothing was stored.
        AlreadyExists: the version is taken by other content; nothing was registered.
        StoreError: the store refused; "latest" still means what it meant before.
    """
    if version is not None:
        check_version(version)
    sources = program if isinstance(program, Sources) else Sources(program, (), program.root, program.import_roots)
    bundle = pack(sources.root, sources.import_roots)
    registry = Registry(store)
    documents = link_documents(_compiled(sources, only, bundle.ref), registry)
    chosen = version or content_version(documents)
    if dry_run:
        entries = registry.preview(documents, project=project, domain=domain, version=chosen)
    else:
        store.check_writable()
        store_bundle(store, bundle)
        entries = registry.register(documents, project=project, domain=domain, version=chosen)
    warnings = program_warnings(sources.program, only) if sources.program is not None else []
    return Registration(chosen, bundle.ref, bundle.files, entries, warnings, dry_run)


def _compiled(sources: Sources, only: Entity | None, bundle: BundleRef) -> list[AnyDocument]:
    if only is None or sources.program is None:
        return compile_sources(sources, bundle)
    return compile_closure(sources.program, only, bundle)
