"""A short pause for the interpreter, where a timer of the server would come too late."""

from __future__ import annotations

import asyncio
from typing import Any

from temporalio import activity


@activity.defn(name="flytemp.pause")
async def pause(argument: dict[str, Any]) -> None:
    """Wait for ``seconds``, which is much less than one."""
    await asyncio.sleep(argument["seconds"])
