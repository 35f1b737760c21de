"""Following an execution: a live tree on a terminal, else a line per change. Both on stderr."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Any

from flytemp.errors import WaitTimeout
from flytemp_cli.describe import elapsed_text, utc_now
from flytemp_cli.node_view import node_details, pause_text
from flytemp_cli.style import Style, one_line
from flytemp_cli.tree import ITEMS_SHOWN, LINES, Tree, headline

if TYPE_CHECKING:
    from rich.text import Text

    from flytemp.client.handle import ExecutionHandle
    from flytemp.records.models import Execution, NodeExecution
    from flytemp_cli.output import Output

_MARGIN_LINES = 4  # of the terminal's height: the headline, the prompt, and air


class ChangeLines:
    """Tells what changed since the last look, a line for each change."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._seen: dict[str, tuple[object, ...]] = {}

    def show(self, execution: Execution) -> None:
        if not execution.phase.is_final:
            self._show_own(execution)
        # The items of a large map would tell more than anybody reads: it tells of them itself, of each tenth.
        large = {node.id for node in execution.nodes if node.items is not None and node.items.total > ITEMS_SHOWN}
        for node in execution.nodes:
            if not _is_quiet_item(node, large):
                self._show_node(node, execution.name)
        if execution.phase.is_final:
            self._show_own(execution)

    def _show_own(self, execution: Execution) -> None:
        if self._changed("", execution.phase.value):
            paused = pause_text(execution, utc_now())
            self._line(execution.phase.value, self._output.messages.bold(execution.name), [paused])

    def _show_node(self, node: NodeExecution, execution: str) -> None:
        items = node.items
        tenth = 10 * (items.succeeded + items.failed) // items.total if items is not None and items.total else 0
        answered = node.gate is not None and node.gate.answer is not None
        news = self._changed(node.id, node.phase.value, node.attempts, tenth, items.failed if items else 0, answered)
        # A node that has only been planned is no news.
        if news and (node.phase.value, node.attempts) != ("QUEUED", 0):
            label = f"{node.id} {one_line(node.name)}" if node.name != node.id else node.id
            elapsed = elapsed_text(node.started_at, node.finished_at, utc_now()) if node.phase.is_final else ""
            self._line(node.phase.value, label, [elapsed, *node_details(node, execution, utc_now())])

    def _changed(self, key: str, *state: object) -> bool:
        before = self._seen.get(key)
        self._seen[key] = state
        return before != state

    def _line(self, phase: str, label: str, details: list[str]) -> None:
        style = self._output.messages
        clock = utc_now().astimezone().strftime("%H:%M:%S")
        extra = "  ".join(part for part in details if part)
        text = f"{style.dim(clock)}  {style.phase(phase, phase.ljust(9))}  {label}"
        self._output.note(f"{text}  {style.dim(extra)}" if extra else text)


def _is_quiet_item(node: NodeExecution, large: set[str]) -> bool:
    """Whether it is within one of the ``large`` maps, and did not fail."""
    if not large or node.phase.value in ("FAILED", "TIMED_OUT"):
        return False
    parts = node.id.split(".")
    return any(".".join(parts[:length]) in large for length in range(1, len(parts)))


class _LiveTree:
    """The tree as rich draws it again and again; durations go on between two looks."""

    def __init__(self, style: Style) -> None:
        self.execution: Execution | None = None
        self._style = style
        self._grown: tuple[Execution, Tree] | None = None

    def _tree(self, execution: Execution) -> Tree:
        """The same tree is drawn several times, and may be large."""
        if self._grown is None or self._grown[0] is not execution:
            self._grown = execution, Tree(execution.nodes)
        return self._grown[1]

    def __call__(self) -> Text:
        from rich.text import Text

        if self.execution is None:
            return Text("")
        height = max(_terminal_height() - _MARGIN_LINES, 3)
        lines = whole_tree(self.execution, self._style, height, self._tree(self.execution))
        return Text.from_ansi("\n".join(lines), no_wrap=True)


def whole_tree(execution: Execution, style: Style, height: int | None = LINES, grown: Tree | None = None) -> list[str]:
    """The execution's line and its nodes' lines, at most ``height``; ``grown`` is their tree, if it is at hand."""
    now = execution.finished_at or utc_now()
    tree = grown or Tree(execution.nodes)
    return [headline(execution, now, style), *tree.lines(now, style, height=height, name=execution.name)]


def _terminal_height() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).lines
    except OSError:
        return 24


def wants_live(output: Output) -> bool:
    """Whether stderr is a terminal that can draw over itself."""
    return output.is_table and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


async def follow_execution(handle: ExecutionHandle[Any], output: Output, timeout: float | None = None) -> Execution:
    """Show what happens until the execution is final, and return it.

    Raises:
        WaitTimeout: it is not final after ``timeout`` seconds.
    """
    try:
        async with asyncio.timeout(timeout):
            return await (_live(handle, output) if wants_live(output) else _lines(handle, output))
    except TimeoutError as error:
        if isinstance(error, WaitTimeout):
            raise
        raise WaitTimeout(f"execution {handle.name} is not over after {timeout:g} s") from None


async def _lines(handle: ExecutionHandle[Any], output: Output) -> Execution:
    changes = ChangeLines(output)
    last: Execution | None = None
    async for last in handle.watch():
        changes.show(last)
    assert last is not None, "watch() ends with a final execution"
    return last


async def _live(handle: ExecutionHandle[Any], output: Output) -> Execution:
    from rich.console import Console
    from rich.live import Live

    tree = _LiveTree(output.messages)
    console = Console(stderr=True, highlight=False, no_color=not output.messages.enabled)
    # transient: while it is live the tree may be cut to the terminal's height; at the end all of it is printed.
    with Live(get_renderable=tree, console=console, refresh_per_second=4, transient=True):
        async for execution in handle.watch():
            tree.execution = execution
    assert tree.execution is not None, "watch() ends with a final execution"
    for line in whole_tree(tree.execution, output.messages):
        output.note(line)
    return tree.execution
