"""Helpers of asynchronous tests: conditions, files, processes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from flytemp.runtime.host import is_alive, process_started
from tests.sdk.runtime.project import eventually

T = TypeVar("T")


async def until(condition: Callable[[], T], what: str) -> T:
    """Wait for a condition while the event loop runs."""
    return await asyncio.to_thread(eventually, condition, what)


async def until_written(path: Path) -> str:
    """Wait for a complete line in a file that a task writes; return it."""

    def content() -> str | None:
        text = path.read_text() if path.exists() else ""
        return text if text.endswith("\n") else None

    return (await until(content, f"{path.name} is written")) or ""


def alive(pid: int) -> bool:
    """Return whether the process lives; a zombie does not."""
    return process_started(pid) != "" and is_alive(pid, process_started(pid)) and os.path.exists(f"/proc/{pid}")
