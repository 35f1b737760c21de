"""Registration of a program: compile it, bundle its code, publish its documents. It needs the store, but not Temporal."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flytemp.bundle import pack, store_bundle
from flytemp.compiler import Entity, Program, compile_closure, content_version, program_warnings
from flytemp.compiler.bundle_warnings import bundle_warnings
from flytemp.compiler.link import Registration, link_documents
from flytemp.compiler.yaml.files import ProgramSources, compile_sources, load_sources
from flytemp.errors import Problem, ProgramError
from flytemp.names import check_version
from flytemp.registry import RegistrationEntry, Registry
from flytemp.registry.platform_limits import PlatformLimits, over_limits, read_limits
from flytemp.registry.pod_checks import disallowed_pods
from flytemp.spec.canonical import AnyDocument
from flytemp.spec.models import BundleRef
from flytemp.store.object_store import ObjectStore
from flytemp.task_queues import deployment_of


@dataclass(frozen=True, slots=True)
class RegistrationResult:
    """Result of a registration.

    Attributes:
        version: the version of the entities.
        bundle: the code bundle.
        files: the files in the bundle, relative to the program's root.
        entries: the entities, with the change that each made to the registry.
        warnings: problems that do not prevent registration.
        dry_run: nothing was stored; the entries show the changes that a registration would make.
    """

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
) -> RegistrationResult:
    """Register the modules and spec files at ``paths``.

    Args:
        store: the store of the registry.
        paths: files or folders.
        project: the project of the entities.
        domain: the domain of the entities.
        version: as for `register_program`.
        dry_run: as for `register_program`.
        task_queue: as for `register_program`.

    Raises:
        ProgramError, AlreadyExists, StoreError: as for `register_program`.
    """
    return register_program(
        store, load_sources(paths), project=project, domain=domain, version=version, dry_run=dry_run, task_queue=task_queue
    )


def register_program(
    store: ObjectStore,
    program: Program | ProgramSources,
    *,
    project: str,
    domain: str,
    version: str | None = None,
    dry_run: bool = False,
    only: Entity | None = None,
    task_queue: str | None = None,
) -> RegistrationResult:
    """Compile a program, bundle its code, and publish all its tasks, workflows and launch plans or none.

    References to registered entities are replaced by the present version of these entities.

    Args:
        store: the store of the registry.
        program: the loaded program, or its modules and spec files.
        project: the project of the entities.
        domain: the domain of the entities.
        version: the version of the entities; by default a hash of their content, so that equal programs have equal versions.
        dry_run: compile and compare, but store nothing.
        only: register only this entity and the entities that it refers to; the rest of the modules may be broken.
        task_queue: the queue of the workers whose platform limits apply; None checks no limits.

    Raises:
        ProgramError: the program does not compile, a reference cannot be resolved, or a task exceeds the platform's limits.
            Nothing was stored.
        AlreadyExists: the version exists with other content. Nothing was registered.
        StoreError: the store failed. The latest versions are those from before.
    """
    if version is not None:
        check_version(version)
    sources = program if isinstance(program, ProgramSources) else ProgramSources(program, (), program.root, program.import_roots)
    bundle = pack(sources.root, sources.import_roots)
    registry = Registry(store)
    documents = link_documents(_compiled(sources, only, bundle.ref), registry, Registration(project, domain, version))
    excesses = _check_limits(store, documents, task_queue, project, domain)
    chosen = version or content_version(documents)
    if dry_run:
        entries = registry.preview(documents, project=project, domain=domain, version=chosen)
    else:
        store.check_writable()
        store_bundle(store, bundle)
        entries = registry.register(documents, project=project, domain=domain, version=chosen)
    warnings = program_warnings(sources.program, only) if sources.program is not None else []
    warnings += [*bundle_warnings(bundle.contents), *excesses]
    return RegistrationResult(chosen, bundle.ref, bundle.files, entries, warnings, dry_run)


def _check_limits(
    store: ObjectStore, documents: Sequence[AnyDocument], task_queue: str | None, project: str, domain: str
) -> list[Problem]:
    """Return a warning for each task that exceeds the platform's limits, which then reduce its resources or refuse its pods.

    Raises:
        ProgramError: the platform refuses such requests of resources instead.
    """
    if task_queue is None:
        return []
    queue = task_queue

    @functools.cache
    def limits_of(pool: str | None) -> PlatformLimits:
        return read_limits(store, deployment_of(queue, pool))

    exceeded = over_limits(documents, limits_of, project, domain)
    if exceeded.refused:
        raise ProgramError(exceeded.problems)
    return [*exceeded.problems, *disallowed_pods(documents, limits_of, project, domain)]


def _compiled(sources: ProgramSources, only: Entity | None, bundle: BundleRef) -> list[AnyDocument]:
    if only is None or sources.program is None:
        return compile_sources(sources, bundle)
    return compile_closure(sources.program, only, bundle)
