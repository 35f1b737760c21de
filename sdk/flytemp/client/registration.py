"""Register a program: compile, bundle, store. Needs the store and no Temporal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flytemp.bundle import pack, store_bundle
from flytemp.compiler import Entity, Program, compile_closure, compile_program, content_version, load_program, program_warnings
from flytemp.errors import Problem
from flytemp.names import check_version
from flytemp.registry import RegistrationEntry, Registry
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
    """Load the modules at ``paths`` and register what they define; see `register_program`."""
    return register_program(
        store, load_program(paths), project=project, domain=domain, version=version, dry_run=dry_run
    )


def register_program(
    store: ObjectStore,
    program: Program,
    *,
    project: str,
    domain: str,
    version: str | None = None,
    dry_run: bool = False,
    only: Entity | None = None,
) -> Registration:
    """Compile the program, bundle its code and publish its tasks, workflows and launch plans, all or nothing.

    ``version`` is by default a hash of the content, so that the same program is the same version. ``only`` registers
    one entity and what it refers to: other parts of the modules may be broken.

    Raises:
        ProgramError: the program does not compile; nothing was stored.
        AlreadyExists: the version is taken by other content; nothing was registered.
        StoreError: the store refused; "latest" still means what it meant before.
    """
    if version is not None:
        check_version(version)
    bundle = pack(program.root, program.import_roots)
    documents = compile_program(program, bundle.ref) if only is None else compile_closure(program, only, bundle.ref)
    chosen = version or content_version(documents)
    registry = Registry(store)
    if dry_run:
        entries = registry.preview(documents, project=project, domain=domain, version=chosen)
    else:
        store.check_writable()
        store_bundle(store, bundle)
        entries = registry.register(documents, project=project, domain=domain, version=chosen)
    return Registration(chosen, bundle.ref, bundle.files, entries, program_warnings(program, only), dry_run)
