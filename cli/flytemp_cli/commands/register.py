"""`flytemp register PATHS…`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from flytemp.errors import AlreadyExists
from flytemp_cli.formatting import plural, size_text
from flytemp_cli.lazy_imports import Command
from flytemp_cli.options import VERSION
from flytemp_cli.output import Output, columns, stdout_to_stderr
from flytemp_cli.session import Session, pass_session
from flytemp_cli.sources import load_sources
from flytemp_cli.style import Style

if TYPE_CHECKING:
    from flytemp.client.registration import RegistrationResult
    from flytemp.registry import RegistrationEntry

_STATUS_COLORS = {"new": "green", "unchanged": None, "conflict": "red"}
_FILES_SHOWN = 20
_CODE_PATHS = {"/bundle/digest", "/bundle/size", "/workflow_digest"}


@click.command("register", cls=Command)
@click.argument("paths", nargs=-1, required=True, metavar="PATHS...", type=click.Path())
@click.option("--dry-run", is_flag=True, help="Show the result without storing anything")
@click.option("--version", type=VERSION, metavar="VERSION", help="Version to register [default: a hash of the content]")
@pass_session
def command(session: Session, paths: tuple[str, ...], dry_run: bool, version: str | None) -> None:
    """Compile the workflows, tasks and launch plans of files and folders, and store them with their code.

    Files are Python modules, or YAML and JSON specs. In folders, specs are named *.flytemp.yaml, .yml or .json.

    Either all entities are registered or none. Registering the same content under the same version changes nothing.
    Different content under an existing version is a conflict, and the difference is shown.

    \b
    Examples:
      flytemp register src/
      flytemp register src/ --version v12 --dry-run
      flytemp register nightly.yaml
    """
    from flytemp.client.registration import register_program
    from flytemp.store import open_store

    settings = session.settings()
    output = session.output()
    sources = load_sources(paths)
    store = open_store(settings.store)

    def register(dry: bool) -> RegistrationResult:
        with stdout_to_stderr():
            return register_program(
                store, sources, project=settings.project, domain=settings.domain, version=version, dry_run=dry,
                task_queue=settings.task_queue,
            )  # fmt: skip

    try:
        registration = register(dry_run)
    except AlreadyExists:
        # A dry run finds the conflicting entities for the table.
        registration = register(True)
        if not _conflicts(registration):
            raise  # another process registered the version in the meantime; the table would not show a conflict
    _show(registration, output, dry_run=dry_run, verbose=session.verbose)
    conflicts = _conflicts(registration)
    if conflicts:
        _explain(conflicts, output)
        raise AlreadyExists(
            f"version {registration.version} exists with different content; nothing was registered",
            hint="versions are immutable: give another --version, or omit it to use a hash of the content",
        )


def _conflicts(registration: RegistrationResult) -> list[RegistrationEntry]:
    return [entry for entry in registration.entries if entry.status == "conflict"]


def _show(registration: RegistrationResult, output: Output, *, dry_run: bool, verbose: bool) -> None:
    entries = registration.entries
    rows = [
        {
            "kind": entry.entity.kind.noun,
            "name": entry.entity.name,
            "version": registration.version,
            "status": entry.status,
            "urn": str(entry.entity),
            "diff": entry.diff,
        }
        for entry in entries
    ]
    value = {
        "version": registration.version,
        "dry_run": registration.dry_run,
        "bundle": {"digest": registration.bundle.digest, "size": registration.bundle.size, "files": registration.files},
        "entities": rows,
        "warnings": [str(warning) for warning in registration.warnings],
    }
    output.data(value, table=lambda style: _table(rows, style), names=[str(row["urn"]) for row in rows])
    for warning in registration.warnings:
        output.problem(warning)
    if output.is_table:
        _show_bundle(registration, output, verbose=verbose)
        if dry_run:
            output.note("dry run: nothing was stored")


def _table(rows: list[dict[str, str | None]], style: Style) -> list[str]:
    cells = [
        [row["kind"] or "", row["name"] or "", row["version"] or "", style.paint(status, _STATUS_COLORS.get(status))]
        for row in rows
        if (status := row["status"] or "")
    ]
    return columns(["KIND", "NAME", "VERSION", "STATUS"], cells, style)


def _show_bundle(registration: RegistrationResult, output: Output, *, verbose: bool) -> None:
    files = registration.files
    done = "would be bundled" if registration.dry_run else "bundled"
    output.note(f"{plural(len(files), 'file')} {done}, {size_text(registration.bundle.size)}")
    shown = files if verbose else files[:_FILES_SHOWN]
    for name in shown:
        output.note(output.messages.dim(f"  {name}"))
    if len(shown) < len(files):
        output.note(output.messages.dim(f"  … and {len(files) - len(shown)} more; -v shows them"))


def _explain(conflicts: list[RegistrationEntry], output: Output) -> None:
    """Print the differences. Entities that differ only in their code bundle are summarised in one line."""
    detailed = [entry for entry in conflicts if _paths(entry.diff or "") - _CODE_PATHS]
    for entry in detailed:
        output.note()
        output.note(f"{entry.entity} exists with different content:")
        for line in (entry.diff or "").splitlines():
            output.note("  " + line.replace("\t", "  "))
    if len(detailed) < len(conflicts):
        output.note()
        output.note(f"{plural(len(conflicts) - len(detailed), 'entity')} in conflict only because of the code bundle")


def _paths(diff: str) -> set[str]:
    return {line.rstrip(":") for line in diff.splitlines() if line.startswith("/")}
