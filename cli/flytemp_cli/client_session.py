"""One call on one execution: connect, find it, do it, leave."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from flytemp_cli.options import Session

if TYPE_CHECKING:
    from flytemp.client.handle import ExecutionHandle

T = TypeVar("T")


def on_execution(session: Session, name: str, call: Callable[[ExecutionHandle[Any]], Awaitable[T]]) -> T:
    """What ``call`` returns for the execution that ``name`` means.

    Raises:
        FlytempError: whatever the client and the call raise.
    """
    return asyncio.run(_call(session, name, call))


async def _call(session: Session, name: str, call: Callable[[ExecutionHandle[Any]], Awaitable[T]]) -> T:
    from flytemp.client.client import Client

    client = await Client.connect(session.settings())
    try:
        return await call(await client.find(name))
    finally:
        await client.close()
