"""`flytemp register PATHS…`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from flytemp.errors import AlreadyExists
from flytemp_cli.describe import plural, size_text
from flytemp_cli.failures import EXIT_ERROR, EXIT_OK
from flytemp_cli.lazy import Command
from flytemp_cli.options import VERSION, Session, pass_session
from flytemp_cli.output import Output, columns, prints_to_stderr
from flytemp_cli.programs import load
from flytemp_cli.style import Style

if TYPE_CHECKING:
    from flytemp.client.registration import Registration

_STATUS_COLORS = {"new": "green", "unchanged": None, "conflict": "red"}
_FILES_SHOWN = 20


@click.command("register", cls=Command)
@click.argument("paths", nargs=-1, required=True, metavar="PATHS...", type=click.Path())
@click.option("--dry-run", is_flag=True, help="Change nothing; say what registering would do")
@click.option("--version", type=VERSION, metavar="VERSION", help="To register under [default: a hash of the content]")
@pass_session
def command(session: Session, paths: tuple[str, ...], dry_run: bool, version: str | None) -> int:
    """Compile the workflows, tasks and launch plans of files and folders, bundle their code, and store both.

    It is all or nothing. The same content under the same version changes nothing; other content under a version that
    exists is a conflict, and the difference is shown.

    \b
    Examples:
      flytemp register src/
      flytemp register src/ --version v12 --dry-run
    """
    from flytemp.client.registration import register_program
    from flytemp.store.object_store import ObjectStore

    settings = session.settings()
    output = session.output()
    program = load(paths)
    store = ObjectStore.open(settings.store)

    def register(dry: bool) -> Registration:
        with prints_to_stderr():
            return register_program(
                store, program, project=settings.project, domain=settings.domain, version=version, dry_run=dry
            )

    try:
        registration = register(dry_run)
    except AlreadyExists:
        # Whoever reads the table must see which entity is in conflict, and that the others were not registered either.
        _show(register(True), output, verbose=session.verbose)
        raise
    _show(registration, output, verbose=session.verbose)
    if any(entry.status == "conflict" for entry in registration.entries):
        _explain_conflicts(registration, output)
        return EXIT_ERROR
    return EXIT_OK


def _show(registration: Registration, output: Output, *, verbose: bool) -> None:
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
        output.warning(str(warning))
    if output.is_table:
        _show_bundle(registration, output, verbose=verbose)


def _table(rows: list[dict[str, str | None]], style: Style) -> list[str]:
    cells = [
        [row["kind"] or "", row["name"] or "", row["version"] or "", style.paint(status, _STATUS_COLORS.get(status))]
        for row in rows
        if (status := row["status"] or "")
    ]
    return columns(["KIND", "NAME", "VERSION", "STATUS"], cells, style)


def _show_bundle(registration: Registration, output: Output, *, verbose: bool) -> None:
    files = registration.files
    done = "would be bundled" if registration.dry_run else "bundled"
    output.note(f"{plural(len(files), 'file')} {done}, {size_text(registration.bundle.size)}")
    shown = files if verbose else files[:_FILES_SHOWN]
    for name in shown:
        output.note(output.messages.dim(f"  {name}"))
    if len(shown) < len(files):
        output.note(output.messages.dim(f"  … and {len(files) - len(shown)} more, -v shows them"))
    if registration.dry_run:
        output.note("nothing was changed: this was a dry run")


def _explain_conflicts(registration: Registration, output: Output) -> None:
    for entry in registration.entries:
        if entry.status == "conflict":
            output.note()
            output.note(f"{entry.entity} exists with other content:")
            for line in (entry.diff or "").splitlines():
                output.note(f"  {line}")
    output.hint("register under another --version, or leave it out: the default is a hash of the content")
