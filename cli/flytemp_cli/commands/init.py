"""`flytemp init DIR`."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from flytemp.errors import AlreadyExists
from flytemp.names import slug
from flytemp_cli.lazy_imports import Command
from flytemp_cli.scaffold.files import project_files
from flytemp_cli.session import Session, pass_session


@click.command("init", cls=Command)
@click.argument("directory", metavar="DIR", type=click.Path(file_okay=False))
@pass_session
def command(session: Session, directory: str) -> None:
    """Create a project in DIR: a workflow, its test, a configuration and a README.

    Existing files are not overwritten.

    \b
    Example:
      flytemp init my-project
    """
    folder = Path(directory)
    files = project_files(slug(folder.resolve().name, 60))
    taken = [path for path in files if (folder / path).exists()]
    if taken:
        raise AlreadyExists(
            f"nothing was written, because {directory} already contains: {', '.join(taken)}", hint="choose an empty or new folder"
        )
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    output = session.output()
    written = [str(folder / path) for path in files]
    output.data({"directory": str(folder), "files": written}, table=lambda _: written, names=written)
    if output.is_table:
        _show_next_steps(session, directory)


def _show_next_steps(session: Session, directory: str) -> None:
    output = session.output()
    output.note()
    output.note("Next:")
    if Path(directory).resolve() != Path.cwd():
        output.note(f"  cd {shlex.quote(directory)}")
    output.note("  flytemp run src/workflows.py word_statistics --local     in this process, without a server")
    output.note("  flytemp dev                                              Temporal, UI, worker, store; in a separate terminal")
    output.note("  flytemp run src/workflows.py word_statistics --top 2     on that Temporal")
