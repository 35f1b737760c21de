"""`flytemp completion bash|zsh|fish`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from flytemp_cli.lazy_imports import Command

_COMPLETION_VARIABLE = "_FLYTEMP_COMPLETE"  # the name that click derives from the program's name


@click.command("completion", cls=Command)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the shell script for completion of flytemp's commands, options and names.

    \b
    Install it with one of:
      bash:  flytemp completion bash > ~/.local/share/bash-completion/completions/flytemp
      zsh:   flytemp completion zsh > "${fpath[1]}/_flytemp"
      fish:  flytemp completion fish > ~/.config/fish/completions/flytemp.fish
    """
    root = ctx.find_root()
    kind = get_completion_class(shell)
    assert kind is not None, "click completes bash, zsh and fish"
    click.echo(kind(root.command, {}, root.info_name or "flytemp", _COMPLETION_VARIABLE).source())
