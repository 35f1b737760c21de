"""`flytemp check PATHS…`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from flytemp.errors import Location, Problem, ProgramError
from flytemp_cli.error_report import EXIT_ERROR, EXIT_OK
from flytemp_cli.formatting import plural
from flytemp_cli.lazy_imports import Command
from flytemp_cli.output import Output, columns, stdout_to_stderr
from flytemp_cli.session import Session, pass_session
from flytemp_cli.sources import load_sources

if TYPE_CHECKING:
    from flytemp.spec.models import Document


@click.command("check", cls=Command)
@click.argument("paths", nargs=-1, required=True, metavar="PATHS...", type=click.Path())
@pass_session
def command(session: Session, paths: tuple[str, ...]) -> int:
    """Compile files and folders, and report all problems with file and line.

    Files are Python modules, or YAML and JSON specs. In folders, specs are named *.flytemp.yaml, .yml or .json.

    The command needs no server and no store. References to other projects are checked when the program is registered.
    The exit code is 1 if there is a problem.

    \b
    Examples:
      flytemp check src/
      flytemp check src/train.py -o json
      flytemp check nightly.yaml
    """
    from flytemp.compiler import program_warnings
    from flytemp.compiler.yaml.files import compile_sources

    output = session.output()
    try:
        sources = load_sources(paths)
        with stdout_to_stderr():
            documents = compile_sources(sources, None)
            warnings = program_warnings(sources.program) if sources.program is not None else []
    except ProgramError as error:
        if output.is_table or output.format == "name":
            raise
        _show([], list(error.problems), [], output)
        return EXIT_ERROR
    _show(documents, [], warnings, output)
    return EXIT_OK


def _show(documents: list[Document], problems: list[Problem], warnings: list[Problem], output: Output) -> None:
    rows = [(document.kind.replace("_", " "), document.name) for document in documents]
    value = {
        "entities": [{"kind": kind, "name": name} for kind, name in rows],
        "problems": [_problem(problem) for problem in problems],
        "warnings": [_problem(problem) for problem in warnings],
    }
    output.data(value, table=lambda style: columns(["KIND", "NAME"], rows, style), names=[name for _, name in rows])
    for warning in warnings:
        output.problem(warning)
    if output.is_table:
        counts = ", ".join(plural(count, kind) for kind, count in Counter(kind for kind, _ in rows).items())
        found = plural(len(warnings), "warning") if warnings else "no problems"
        output.note(f"{counts or 'nothing to register'}: {found}")


def _problem(problem: Problem) -> dict[str, Any]:
    where: Location | None = problem.location
    return {
        "message": problem.message,
        "file": where.file if where else None,
        "line": where.line if where else None,
        "hint": problem.hint,
    }
