"""What `cancel` and `terminate` share."""

from __future__ import annotations

from flytemp_cli.client_session import on_execution
from flytemp_cli.options import Session


def stop(session: Session, name: str, reason: str, *, at_once: bool) -> None:
    """Ask an execution to stop, or end it at once, and say so.

    Raises:
        NotFound: it is not running.
    """
    on_execution(session, name, lambda handle: handle.terminate(reason) if at_once else handle.cancel(reason))
    output = session.output()
    output.data(
        {"name": name, "requested": "terminate" if at_once else "cancel", "reason": reason},
        table=lambda _: [],
        names=[name],
    )
    if output.is_table:
        output.note(f"execution {name} {'is terminated' if at_once else 'is asked to stop'}")
        if not at_once:
            output.hint(f"`flytemp get execution {name}` shows when it has; `flytemp terminate {name}` ends it at once")
