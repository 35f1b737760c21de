"""Background work whose result is not awaited."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any


def retrieve_exception(task: asyncio.Task[Any]) -> None:
    """Mark the exception of a task as retrieved. Otherwise asyncio logs it when no caller waits for the task."""
    if not task.cancelled():
        task.exception()


class Background:
    """Asyncio tasks that are kept until they are done, as the event loop holds only weak references to tasks.

    Args:
        logger: logs the errors of the tasks.
        failed: message of these log records.
    """

    def __init__(self, logger: logging.Logger, failed: str) -> None:
        self._logger = logger
        self._failed = failed
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run the coroutine as a task."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._logger.error(self._failed, exc_info=error)

    async def close(self, seconds: float | None = None) -> None:
        """Wait until all tasks are done, or cancel them after a number of seconds."""
        if self._tasks:
            _, left = await asyncio.wait(self._tasks, timeout=seconds)
            for task in left:
                task.cancel()
