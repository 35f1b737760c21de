"""`flytemp logs NAME [NODE]`."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import click

from flytemp_cli.completion import complete_executions
from flytemp_cli.lazy_imports import Command
from flytemp_cli.output import dump_yaml
from flytemp_cli.session import Session, pass_session

if TYPE_CHECKING:
    from flytemp.client.logs import LogChunk
    from flytemp_cli.output import Output


@click.command("logs", cls=Command)
@click.argument("name", shell_complete=complete_executions())
@click.argument("node", required=False)
@click.option("-f", "--follow", is_flag=True, help="Continue until the execution finishes")
@click.option("--attempt", type=click.IntRange(min=1), metavar="N", help="Only this attempt")
@pass_session
def command(session: Session, name: str, node: str | None, follow: bool, attempt: int | None) -> None:
    """Print the stdout and stderr of an execution's tasks, while they run and afterwards.

    NODE is a node's id or name; without it, every line begins with the id of its node. With -o json, every chunk is a
    line of JSON; with -o yaml, an item of a list.

    \b
    Examples:
      flytemp logs nightly-1
      flytemp logs nightly-1 n3 --follow
    """
    asyncio.run(_print(session, name, node, follow, attempt))


async def _print(session: Session, name: str, node: str | None, follow: bool, attempt: int | None) -> None:
    from flytemp.client.client import Client
    from flytemp_cli.pod_logs import Follower, PodLogs, read_all

    settings = session.settings()
    client = await Client.connect(settings)
    output = session.output()
    pods = PodLogs(client, settings, output.note)
    writer = _Prefixed(output, interleaved=follow) if node is None and output.format not in ("json", "yaml") else None
    try:
        handle = await client.find(name)
        if node is not None:  # the links of all nodes would be too many
            for link in await handle.log_links(node, attempt=attempt):
                output.note(f"{link.name}: {link.url}")
        chunks = Follower(pods, handle, node, attempt).chunks() if follow else read_all(pods, handle, node, attempt)
        async for chunk in chunks:
            if output.format in ("json", "yaml"):
                output.text(_as_data(chunk, output.format))
            elif writer is not None:
                writer.write(chunk)
            else:
                output.raw(chunk.text)
    finally:
        if writer is not None:
            writer.close()
        await pods.close()
        await client.close()


def _as_data(chunk: LogChunk, format_: str) -> str:
    """Return a chunk as a line of JSON or as an item of a YAML list."""
    value = {"node": chunk.node, "attempt": chunk.attempt, "try": chunk.try_, "text": chunk.text}
    return json.dumps(value, ensure_ascii=False) if format_ == "json" else dump_yaml([value])


class _Prefixed:
    """Printer of complete lines, prefixed with their node, from chunks that may end within a line.

    ``interleaved``: chunks of different tasks may alternate, as with --follow; otherwise the chunks of a task are adjacent.
    """

    def __init__(self, output: Output, *, interleaved: bool) -> None:
        self._output = output
        self._interleaved = interleaved
        self._open: dict[tuple[str, int, int], str] = {}

    def write(self, chunk: LogChunk) -> None:
        key = (chunk.node, chunk.attempt, chunk.try_)
        if not self._interleaved and key not in self._open:
            self.close()
        *lines, rest = (self._open.pop(key, "") + chunk.text).split("\n")
        for line in lines:
            self._line(key, line)
        if rest:
            self._open[key] = rest

    def close(self) -> None:
        for key, rest in self._open.items():
            self._line(key, rest)
        self._open.clear()

    def _line(self, key: tuple[str, int, int], line: str) -> None:
        node, attempt, _ = key
        label = node if attempt == 1 else f"{node} attempt {attempt}"
        self._output.raw(f"{self._output.style.dim(f'{label} │')} {line}\n")
