"""`flytemp dev`."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from flytemp.redaction import without_credentials
from flytemp_cli.lazy_imports import Command
from flytemp_cli.output import Output, pairs
from flytemp_cli.session import Session, pass_session

if TYPE_CHECKING:
    from flytemp.config import Settings
    from flytemp.config.dev_state import DevState

_PORT = click.IntRange(0, 65535)


@click.command("dev", cls=Command)
@click.option("--ephemeral", is_flag=True, help="Keep no data: Temporal in memory, the store in a temporary folder")
@click.option("--port", type=_PORT, metavar="PORT", help="Port of Temporal [default: 7233, or a free port]")
@click.option("--ui-port", type=_PORT, metavar="PORT", help="Port of Temporal's UI [default: 8233, or a free port]")
@click.option("--no-ui", is_flag=True, help="Do not run the UI")
@click.option("--slots", type=click.IntRange(min=1), metavar="N", help="Number of tasks at once [default: one per CPU]")
@pass_session
def command(session: Session, ephemeral: bool, port: int | None, ui_port: int | None, no_ui: bool, slots: int | None) -> int:
    """Run Temporal, its UI, a worker and a store on this machine, until Ctrl-C.

    Other commands in this project find it automatically. The state is in .flytemp/ and survives a restart.

    \b
    Examples:
      flytemp dev
      flytemp dev --ephemeral --no-ui --port 0
    """
    from flytemp_cli.dev.stack import DevOptions, DevStack

    output = session.output()
    settings = session.settings()
    options = DevOptions(ephemeral, port, ui_port, not no_ui, slots, session.verbose)
    stack = DevStack(settings, options, output.note)
    return stack.run(lambda state: _show(state, settings, session, output))


def _show(state: DevState, settings: Settings, session: Session, output: Output) -> None:
    rows = [
        ("Temporal", state.address),
        ("UI", state.ui_url or ""),
        ("Store", without_credentials(state.store)),
        ("Metrics", state.metrics_url or ""),
        ("Logs", str(settings.state_dir / "logs")),
    ]
    output.data(asdict(state), table=lambda style: pairs(rows, style), names=[state.address])
    sys.stdout.flush()
    # An environment variable or a profile may direct other commands to another server.
    effective = session.settings()
    for key, value in (("address", state.address), ("store", state.store)):
        if getattr(effective, key) != value:
            origin = effective.origins.get(key, "default")
            output.warning(f"other commands use another {key}: {without_credentials(getattr(effective, key))} ({origin})")
    output.note(output.messages.paint("ready", "green") + "; Ctrl-C stops it")
