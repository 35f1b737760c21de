"""`flytemp dev`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from flytemp_cli.lazy import Command
from flytemp_cli.options import Session, pass_session
from flytemp_cli.output import Output, pairs

if TYPE_CHECKING:
    from flytemp_cli.dev.stack import Addresses

_PORT = click.IntRange(0, 65535)


@click.command("dev", cls=Command)
@click.option("--ephemeral", is_flag=True, help="Keep nothing: Temporal in memory, the store in a folder that goes")
@click.option("--port", type=_PORT, metavar="PORT", help="Of Temporal [default: 7233, or a free one]")
@click.option("--ui-port", type=_PORT, metavar="PORT", help="Of Temporal's UI [default: 8233, or a free one]")
@click.option("--no-ui", is_flag=True, help="Run no UI")
@click.option("--slots", type=click.IntRange(min=1), metavar="N", help="Tasks at once [default: one per CPU]")
@pass_session
def command(session: Session, ephemeral: bool, port: int | None, ui_port: int | None, no_ui: bool, slots: int | None) -> int:
    """Run Temporal, its UI, a worker and a store on this machine, until Ctrl-C.

    The other commands in this project find it by themselves. Its state is in .flytemp/ and survives a restart.

    \b
    Examples:
      flytemp dev
      flytemp dev --ephemeral --no-ui --port 0
    """
    from flytemp_cli.dev.stack import DevOptions, DevStack

    output = session.output()
    settings = session.settings()
    options = DevOptions(ephemeral, port, ui_port, not no_ui, slots, session.verbose)
    stack = DevStack(settings, session.settings, options, output.note)
    return stack.run(lambda addresses: _show(addresses, session, output))


def _show(addresses: Addresses, session: Session, output: Output) -> None:
    rows = [
        ("Temporal", addresses.address),
        ("UI", addresses.ui_url or ""),
        ("Store", addresses.store),
        ("Metrics", addresses.metrics_url),
        ("Logs", addresses.logs),
    ]
    output.data(asdict(addresses), table=lambda style: pairs(rows, style), names=[addresses.address])
    # What the other commands will use is what counts: a variable or a profile may lead them past this server.
    effective = session.settings()
    if effective.address != addresses.address:
        origin = effective.origins.get("address", "")
        output.warning(f"other commands do not use this server: the address is {effective.address} ({origin})")
    if effective.store != addresses.store:
        origin = effective.origins.get("store", "")
        output.warning(f"other commands do not use this store: theirs is {effective.store} ({origin})")
    output.note(output.messages.paint("ready", "green") + "; Ctrl-C stops it")
