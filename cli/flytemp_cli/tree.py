"""An execution's nodes as a tree of lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from flytemp_cli.describe import elapsed_text, plural
from flytemp_cli.style import Style, glyph, one_line, width

if TYPE_CHECKING:
    from flytemp.records.models import Execution, NodeExecution

_MESSAGE_LIMIT = 120


@dataclass
class _Branch:
    node: NodeExecution
    children: list[_Branch] = field(default_factory=list)


@dataclass(frozen=True)
class _Row:
    rails: str
    node: NodeExecution


def tree_lines(nodes: Sequence[NodeExecution], now: datetime, style: Style, *, height: int | None = None) -> list[str]:
    """One line per node, sub-workflows' nodes below theirs.

    With ``height``, at most so many lines: nodes that wait or are done give way to those that run or failed, and the
    last line counts what is not shown.
    """
    rows = _rows(_forest(nodes), "")
    hidden: list[_Row] = []
    if height is not None and len(rows) > height:
        rows, hidden = _most_telling(rows, max(height - 1, 1))
    label_width = max((width(row.rails) + 2 + width(_label(row.node)) for row in rows), default=0)
    lines = [_line(row, label_width, now, style) for row in rows]
    if hidden:
        lines.append(style.dim(_summary(hidden)))
    return lines


def headline(execution: Execution, now: datetime, style: Style) -> str:
    """The execution itself in one line."""
    phase = execution.phase.value
    what = execution.workflow or execution.launch_plan or ""
    elapsed = elapsed_text(execution.started_at, execution.finished_at, now)
    parts = [style.phase(phase, glyph(phase)), style.bold(execution.name), what, style.phase(phase), style.dim(elapsed)]
    return "  ".join(part for part in parts if part).replace("  ", " ", 1)


def _forest(nodes: Sequence[NodeExecution]) -> list[_Branch]:
    branches = {node.id: _Branch(node) for node in nodes}
    roots: list[_Branch] = []
    for node in nodes:
        parent = branches.get(node.id.rpartition(".")[0])
        (roots if parent is None else parent.children).append(branches[node.id])
    return roots


def _rows(branches: Sequence[_Branch], rails: str) -> list[_Row]:
    rows = []
    for index, branch in enumerate(branches):
        last = index == len(branches) - 1
        rows.append(_Row(f"{rails}{'└─ ' if last else '├─ '}", branch.node))
        rows += _rows(branch.children, f"{rails}{'   ' if last else '│  '}")
    return rows


def _most_telling(rows: list[_Row], room: int) -> tuple[list[_Row], list[_Row]]:
    """The ``room`` rows worth seeing, in order, and the others."""
    order = {"QUEUED": 2, "SKIPPED": 3, "SUCCEEDED": 1}
    ranked = sorted(range(len(rows)), key=lambda index: (order.get(rows[index].node.phase.value, 0), index))
    kept = set(ranked[:room])
    return [row for index, row in enumerate(rows) if index in kept], [row for index, row in enumerate(rows) if index not in kept]


def _summary(hidden: Sequence[_Row]) -> str:
    counts: dict[str, int] = {}
    for row in hidden:
        counts[row.node.phase.value] = counts.get(row.node.phase.value, 0) + 1
    detail = ", ".join(f"{count} {phase}" for phase, count in counts.items())
    return f"… {plural(len(hidden), 'more node')}: {detail}"


def _label(node: NodeExecution) -> str:
    own = node.id.rpartition(".")[2]
    name = one_line(node.name)
    return own if name in ("", own) else f"{own} {name}"


def _line(row: _Row, label_width: int, now: datetime, style: Style) -> str:
    node = row.node
    phase = node.phase.value
    label = _label(node)
    gap = " " * (label_width - width(row.rails) - 2 - width(label))
    head = f"{style.dim(row.rails)}{style.phase(phase, glyph(phase))} {label}{gap}"
    details = "  ".join([elapsed_text(node.started_at, node.finished_at, now).rjust(6), *node_details(node)]).rstrip()
    if not details:
        return f"{head}  {style.phase(phase)}"
    return f"{head}  {style.phase(phase, phase.ljust(9))}  {style.dim(details)}"


def node_details(node: NodeExecution) -> list[str]:
    """What else a line tells of a node: attempts, tries the platform lost, its message or its error."""
    details = []
    if node.attempts > 1:
        details.append(f"attempt {node.attempts}")
    lost = sum(attempt.tries - 1 for attempt in node.attempt_history)
    if lost:
        details.append(f"restarted {lost}× by the platform")
    if node.error is not None and node.kind == "task":
        details.append(one_line(f"{node.error.code}: {node.error.message}", _MESSAGE_LIMIT))
    elif node.message and not node.phase.is_final:
        details.append(one_line(node.message, _MESSAGE_LIMIT))
    return details
