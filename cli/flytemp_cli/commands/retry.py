"""`flytemp retry EXECUTION [NODE…]`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from flytemp_cli.client_session import on_execution
from flytemp_cli.completion import complete_executions, complete_failed_nodes
from flytemp_cli.lazy_imports import Command
from flytemp_cli.options import Session, pass_session

if TYPE_CHECKING:
    from flytemp.client.handle import ExecutionHandle
    from flytemp.records.models import Execution


@click.command("retry", cls=Command)
@click.argument("execution", shell_complete=complete_executions())
@click.argument("nodes", nargs=-1, metavar="[NODE]...", shell_complete=complete_failed_nodes)
@click.option("--follow", is_flag=True, help="Show its nodes until its end; the exit code says how it ended")
@pass_session
def command(session: Session, execution: str, nodes: tuple[str, ...], follow: bool) -> int:
    """Try again what failed, of an execution that runs or is over; what succeeded is not repeated.

    NODE is a node's id or name; without it, every node that failed is tried. What was skipped because of it follows.

    \b
    Examples:
      flytemp retry nightly-1
      flytemp retry nightly-1 n3 n5.n0 --follow
    """
    from flytemp_cli.execution_view import final_exit_code, show_end

    output = session.output()

    async def again(handle: ExecutionHandle[Any]) -> Execution | None:
        from flytemp_cli.follow import follow_execution

        await handle.retry(nodes)
        if output.is_table:
            output.note(f"execution {execution} goes on with {', '.join(nodes) or 'what failed'}")
        return await follow_execution(handle, output) if follow else None

    ended = on_execution(session, execution, again)
    if ended is not None:
        show_end(ended, output)
        return final_exit_code(ended)
    output.data({"name": execution, "requested": "retry", "nodes": list(nodes)}, table=lambda _: [], names=[execution])
    if output.is_table:
        output.hint(f"`flytemp get execution {execution}` shows it")
    return 0
