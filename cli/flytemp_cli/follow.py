"""Live display of an execution on stderr: a tree on a terminal, otherwise one line per change."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Any

from flytemp.errors import WaitTimeout
from flytemp_cli.formatting import elapsed_text, utc_now
from flytemp_cli.node_tree import ITEMS_SHOWN, MAX_LINES, Tree, headline, node_details, pause_text
from flytemp_cli.style import Style, one_line

if TYPE_CHECKING:
    from rich.text import Text

    from flytemp.client.handle import ExecutionHandle
    from flytemp.records.models import Execution, NodeExecution
    from flytemp_cli.output import Output

_MARGIN_LINES = 4  # lines of the terminal kept free for the headline and the prompt


class ChangeLines:
    """Prints one line for each change between two states of an execution."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._seen: dict[str, tuple[object, ...]] = {}

    def show(self, execution: Execution) -> None:
        if not execution.phase.is_final:
            self._show_own(execution)
        # Items of a large map are not listed; the map node itself prints its progress after every tenth.
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
        changed = self._changed(node.id, node.phase.value, node.attempts, tenth, items.failed if items else 0, answered)
        # A node that is only queued is not printed.
        if changed and (node.phase.value, node.attempts) != ("QUEUED", 0):
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
    """Return whether the node is in one of the ``large`` maps and has not failed."""
    if not large or node.phase.value in ("FAILED", "TIMED_OUT"):
        return False
    ids = node.id.split(".")
    return any(".".join(ids[:length]) in large for length in range(1, len(ids)))


class _LiveTree:
    """Renderable tree for rich; the durations advance between two updates of the execution."""

    def __init__(self, style: Style) -> None:
        self.execution: Execution | None = None
        self._style = style
        self._cached: tuple[Execution, Tree] | None = None

    def _tree(self, execution: Execution) -> Tree:
        """Return the tree of ``execution``, cached because rich draws each one several times."""
        if self._cached is None or self._cached[0] is not execution:
            self._cached = execution, Tree(execution.nodes)
        return self._cached[1]

    def __call__(self) -> Text:
        from rich.text import Text

        if self.execution is None:
            return Text("")
        height = max(_terminal_height() - _MARGIN_LINES, 3)
        lines = whole_tree(self.execution, self._style, height, self._tree(self.execution))
        return Text.from_ansi("\n".join(lines), no_wrap=True)


def whole_tree(execution: Execution, style: Style, height: int | None = MAX_LINES, tree: Tree | None = None) -> list[str]:
    """Return the line of the execution and at most ``height`` lines of its nodes; ``tree`` avoids building the tree again."""
    now = execution.finished_at or utc_now()
    tree = tree or Tree(execution.nodes)
    return [headline(execution, now, style), *tree.lines(now, style, height=height, name=execution.name)]


def _terminal_height() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).lines
    except OSError:
        return 24


def wants_live(output: Output) -> bool:
    """Return whether stderr is a terminal with cursor control."""
    return output.is_table and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


async def follow_execution(handle: ExecutionHandle[Any], output: Output, timeout: float | None = None) -> Execution:
    """Show the execution until it finishes, and return its final state.

    Raises:
        WaitTimeout: the execution has not finished after ``timeout`` seconds.
    """
    try:
        async with asyncio.timeout(timeout):
            return await (_live(handle, output) if wants_live(output) else _lines(handle, output))
    except TimeoutError as error:
        if isinstance(error, WaitTimeout):
            raise
        raise WaitTimeout(f"execution {handle.name} has not finished after {timeout:g} s") from None


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
    # transient: the live tree may be cut to the terminal's height; the final tree is printed completely.
    with Live(get_renderable=tree, console=console, refresh_per_second=4, transient=True):
        async for execution in handle.watch():
            tree.execution = execution
    assert tree.execution is not None, "watch() ends with a final execution"
    for line in whole_tree(tree.execution, output.messages):
        output.note(line)
    return tree.execution
