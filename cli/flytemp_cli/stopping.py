"""What `cancel` and `terminate` share."""

from __future__ import annotations

import asyncio

from flytemp_cli.options import Session


def stop(session: Session, name: str, reason: str, *, at_once: bool) -> None:
    """Ask an execution to stop, or end it at once, and say so.

    Raises:
        NotFound: it is not running.
    """
    asyncio.run(_stop(session, name, reason, at_once))
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


async def _stop(session: Session, name: str, reason: str, at_once: bool) -> None:
    from flytemp.client.client import Client

    client = await Client.connect(session.settings())
    try:
        handle = await client.find(name)
        await (handle.terminate(reason) if at_once else handle.cancel(reason))
    finally:
        await client.close()
