"""`flytemp cancel`, `terminate`, `pause`, `resume` and `retry`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from flytemp_cli.completion import complete_executions, complete_failed_nodes
from flytemp_cli.lazy_imports import Command
from flytemp_cli.session import Session, pass_session

if TYPE_CHECKING:
    from flytemp.client.handle import ExecutionHandle
    from flytemp.records.models import Execution
    from flytemp_cli.output import Output

_running_execution = click.argument("execution", shell_complete=complete_executions(running=True))
_reason = click.option("--reason", default="", metavar="TEXT", help="The reason, stored with the request")


@click.command("cancel", cls=Command)
@_running_execution
@_reason
@pass_session
def cancel(session: Session, execution: str, reason: str) -> None:
    """Ask an execution to stop.

    Its tasks are stopped, its failure handlers run, its record is written, and its phase becomes ABORTED.

    \b
    Example:
      flytemp cancel nightly-1 --reason "wrong data"
    """
    session.with_execution(execution, lambda handle: handle.cancel(reason))
    _show_request(session.output(), execution, "cancel", {"reason": reason}, f"execution {execution} is asked to stop")
    if session.output().is_table:
        session.output().hint(
            f"`flytemp get execution {execution}` shows its phase; `flytemp terminate {execution}` ends it at once"
        )


@click.command("terminate", cls=Command)
@_running_execution
@_reason
@pass_session
def terminate(session: Session, execution: str, reason: str) -> None:
    """End an execution at once, without failure handlers. Use it when `flytemp cancel` has no effect.

    The executions that it started are terminated too.

    \b
    Example:
      flytemp terminate nightly-1 --reason "does not respond"
    """
    session.with_execution(execution, lambda handle: handle.terminate(reason))
    _show_request(session.output(), execution, "terminate", {"reason": reason}, f"execution {execution} is terminated")


@click.command("pause", cls=Command)
@_running_execution
@_reason
@pass_session
def pause(session: Session, execution: str, reason: str) -> None:
    """Start no new nodes in an execution until `flytemp resume`. Running tasks continue.

    \b
    Example:
      flytemp pause nightly-1 --reason "database migration"
    """
    session.with_execution(execution, lambda handle: handle.pause(reason))
    output = session.output()
    done = f"execution {execution} is paused: running tasks continue, no new nodes start"
    _show_request(output, execution, "pause", {"reason": reason}, done)
    if output.is_table:
        output.hint(f"`flytemp resume {execution}` resumes it")


@click.command("resume", cls=Command)
@_running_execution
@pass_session
def resume(session: Session, execution: str) -> None:
    """Resume a paused execution.

    \b
    Example:
      flytemp resume nightly-1
    """
    session.with_execution(execution, lambda handle: handle.resume())
    _show_request(session.output(), execution, "resume", {}, f"execution {execution} is resumed")


@click.command("retry", cls=Command)
@click.argument("execution", shell_complete=complete_executions())
@click.argument("nodes", nargs=-1, metavar="[NODE]...", shell_complete=complete_failed_nodes)
@click.option("--follow", is_flag=True, help="Show the nodes until the execution finishes; the exit code follows its phase")
@pass_session
def retry(session: Session, execution: str, nodes: tuple[str, ...], follow: bool) -> int:
    """Retry the failed nodes of a running or finished execution. Nodes that succeeded are not repeated.

    NODE is a node's id or name; without it, every failed node is retried. Nodes that were skipped because of a failed
    node run afterwards.

    \b
    Examples:
      flytemp retry nightly-1
      flytemp retry nightly-1 n3 n5.n0 --follow
    """
    from flytemp_cli.execution_view import final_exit_code, show_end

    output = session.output()

    async def request_retry(handle: ExecutionHandle[Any]) -> Execution | None:
        from flytemp_cli.follow import follow_execution

        await handle.retry(nodes)
        if output.is_table:
            output.note(f"execution {execution} retries {', '.join(nodes) or 'its failed nodes'}")
        return await follow_execution(handle, output) if follow else None

    ended = session.with_execution(execution, request_retry)
    if ended is not None:
        show_end(ended, output)
        return final_exit_code(ended)
    _show_request(output, execution, "retry", {"nodes": list(nodes)})
    if output.is_table:
        output.hint(f"`flytemp get execution {execution}` shows its progress")
    return 0


def _show_request(output: Output, execution: str, request: str, details: dict[str, object], note: str | None = None) -> None:
    output.data({"name": execution, "requested": request, **details}, table=lambda _: [], names=[execution])
    if note is not None and output.is_table:
        output.note(note)
