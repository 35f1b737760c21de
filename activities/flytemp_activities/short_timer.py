"""A short timer for workflows, where a timer of the Temporal server would fire too late."""

from __future__ import annotations

import asyncio

from flytemp.protocol import activities as protocol
from flytemp_activities.definitions import control_activity


class ShortTimer:
    """The activity that waits."""

    @control_activity(protocol.SHORT_TIMER)
    async def short_timer(self, argument: protocol.ShortTimerArgument) -> None:
        """Wait for ``argument.seconds``, which is much less than one."""
        await asyncio.sleep(argument.seconds)
