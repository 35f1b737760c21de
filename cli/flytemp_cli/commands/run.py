"""`flytemp run FILE [NAME]`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import click

from flytemp_cli.error_report import InputUsageError
from flytemp_cli.launching import Start, launch, launch_options, literals_of, options_of
from flytemp_cli.options import VERSION
from flytemp_cli.output import Output, stdout_to_stderr
from flytemp_cli.session import Session
from flytemp_cli.sources import SelectedEntity, load_sources, select_entity
from flytemp_cli.targets import LaunchOption, Target, TargetCommand

if TYPE_CHECKING:
    from flytemp.config import Settings
    from flytemp.errors import Problem
    from flytemp.literals.types import Json
    from flytemp.names import EntityId
    from flytemp.records.models import Execution
    from flytemp.spec.models import Document
    from flytemp.store.object_store import ObjectStore


def _options() -> list[click.Parameter]:
    return [
        LaunchOption("--local", is_flag=True, help="Run in this process, without a server: breakpoints work"),
        *launch_options(always_follows=True),
        LaunchOption("--version", type=VERSION, metavar="VERSION", help="Version to register [default: a hash of the content]"),
    ]


def _load(session: Session, words: Sequence[str], options: Mapping[str, Any]) -> Target:
    from flytemp.launching.inputs import launch_interface
    from flytemp_cli.entity_view import docs_text

    chosen = select_entity(load_sources(words[:1]), words[1] if len(words) > 1 else None, words[0])
    document = chosen.document
    title = f"Run {document.kind.replace('_', ' ')} {document.name}."
    return Target(title, docs_text(document), launch_interface(document), chosen)


def _run(session: Session, target: Target, texts: dict[str, str], given: Mapping[str, Any]) -> int:
    literals = literals_of(target.interface, texts, given["inputs"])
    if given["local"]:
        if given["timeout"] is not None:
            raise InputUsageError("--timeout cannot be combined with --local")
        return _run_local(session, target, literals, given)
    return _run_remote(session, target, literals, given)


def _run_remote(session: Session, target: Target, literals: dict[str, Json], given: Mapping[str, Any]) -> int:
    import asyncio

    from flytemp.client.uploads import ContentUploads
    from flytemp_cli.inputs import upload_inputs

    settings = session.settings()
    output = session.output()

    def prepare(store: ObjectStore) -> Start:
        entity, registered = _register(target, store, settings, given["version"], output)
        uploaded = upload_inputs(literals, target.interface, ContentUploads(store))
        return Start(entity, registered, uploaded, given["name"], options_of(given), given["timeout"])

    return asyncio.run(launch(settings, prepare, output, wait=True, follow=True))


def _register(
    target: Target, store: ObjectStore, settings: Settings, version: str | None, output: Output
) -> tuple[EntityId, Document]:
    from flytemp.client.registration import register_program
    from flytemp.registry import Registry

    chosen: SelectedEntity = target.value
    document = chosen.document
    with stdout_to_stderr():
        registration = register_program(
            store, chosen.sources, project=settings.project, domain=settings.domain, version=version, only=chosen.entity,
            task_queue=settings.task_queue,
        )  # fmt: skip
    if output.is_table:
        output.note(f"registered {document.name}, version {registration.version}")
    _show_warnings(registration.warnings, output)
    return Registry(store).get(_registered(document, settings, registration.version, registration.entries))


def _registered(document: Document, settings: Settings, version: str, entries: Sequence[Any]) -> EntityId:
    """Return the workflow's default launch plan if it has one, as `launch` does; otherwise the entity itself."""
    from flytemp.names import EntityId, EntityKind

    own = {"task": EntityKind.TASK, "workflow": EntityKind.WORKFLOW, "launch_plan": EntityKind.LAUNCH_PLAN}[document.kind]
    default = EntityId(EntityKind.LAUNCH_PLAN, settings.project, settings.domain, document.name, version)
    if own is EntityKind.WORKFLOW and any(entry.entity == default for entry in entries):
        return default
    return EntityId(own, settings.project, settings.domain, document.name, version)


def _run_local(session: Session, target: Target, literals: dict[str, Json], given: Mapping[str, Any]) -> int:
    from flytemp.client.uploads import LocalPaths
    from flytemp.compiler import code_warnings
    from flytemp.compiler.link import Registration, link_documents
    from flytemp.registry import Registry
    from flytemp.spec.models import WorkflowDocument
    from flytemp.store import open_store
    from flytemp_cli.execution_view import final_exit_code, show_end
    from flytemp_cli.inputs import upload_inputs
    from flytemp_worker.local import run_local

    settings = session.settings()
    output = session.output()
    chosen: SelectedEntity = target.value
    store = open_store(settings.store)
    registration = Registration(settings.project, settings.domain)
    documents = {(one.kind, one.name): one for one in link_documents(chosen.documents(), Registry(store), registration)}
    document = documents[chosen.document.kind, chosen.document.name]
    if chosen.entity is not None and chosen.sources.program is not None:
        _show_warnings(code_warnings(chosen.sources.program, chosen.entity), output)
    workflow = documents["workflow", document.launch_plan.workflow] if document.kind == "launch_plan" else None
    assert workflow is None or isinstance(workflow, WorkflowDocument)
    with stdout_to_stderr(), _importable(chosen):
        execution = run_local(
            document,
            upload_inputs(literals, target.interface, LocalPaths()),
            store=store,
            project=settings.project,
            domain=settings.domain,
            workflow=workflow,
            others=documents.values(),
            name=given["name"],
            options=options_of(given),
            on_change=_show_changes(output),
        )
    show_end(execution, output, local=True)
    return final_exit_code(execution)


def _show_warnings(warnings: Sequence[Problem], output: Output) -> None:
    for warning in warnings:
        output.problem(warning)


def _importable(chosen: SelectedEntity) -> AbstractContextManager[object]:
    """Return a context in which the modules named by spec files can be imported; loaded modules need no context."""
    from flytemp.compiler.imports import ModuleSpace

    sources = chosen.sources
    if chosen.entity is not None:
        return nullcontext()
    return ModuleSpace([sources.root / root for root in sources.import_roots]).activated()


def _show_changes(output: Output) -> Any:
    """Return a callback that prints one line per change. No live tree, because tasks and debuggers use the same terminal."""
    from flytemp_cli.follow import ChangeLines

    changes = ChangeLines(output)

    def show(execution: Execution) -> None:
        changes.show(execution)

    return show


command = TargetCommand(
    "run",
    words={"FILE": None, "NAME": None},
    required=1,
    options=_options,
    load=_load,
    run=_run,
    help=(
        "Register a workflow of a file, launch it, follow it, and print its outputs.\n\n"
        "FILE is a Python module, a YAML or JSON spec, or a folder of them. "
        "NAME is a workflow, task or launch plan: its variable in FILE or its registered name. "
        "NAME is optional if FILE has exactly one workflow. Inputs are flags, as for `flytemp launch`: "
        "`flytemp run FILE NAME --help` shows them.\n\n"
        "\b\nExamples:\n"
        "  flytemp run src/wf.py my_wf --x 3\n"
        "  flytemp run src/wf.py my_wf --x 3 --local\n"
        "  flytemp run src/wf.py my_task --text hello -o json"
    ),
)
