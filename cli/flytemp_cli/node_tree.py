"""Nodes of an execution as a tree of text lines.

A map node is one line, followed by its items if they are few or failed. A tree that exceeds the maximum height is
reduced in steps: finished sub-trees become one line each, then neighbouring nodes of the same quiet phase become one
line. Nodes that still do not fit are counted in the last line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from flytemp_cli.formatting import duration_text, elapsed_text, json_text, literal_type_text, plural, time_text
from flytemp_cli.style import Style, glyph, one_line, width

if TYPE_CHECKING:
    from flytemp.records.models import Execution, GateAnswer, GateInfo, MapItems, NodeExecution

MAX_LINES = 200
"""Default maximum height of a tree."""

ITEMS_SHOWN = 10
"""Maps with at most this many items show all of them; larger maps show up to this many failed items."""

_MESSAGE_LIMIT = 120
_VALUE_LIMIT = 60
_MIN_GROUP = 3  # shorter sequences of nodes in one phase are not joined

_DONE = frozenset({"SUCCEEDED", "SKIPPED"})
_QUIET = frozenset({"SUCCEEDED", "SKIPPED", "QUEUED"})
_FAILED = frozenset({"FAILED", "TIMED_OUT"})
_RANKS = {"RUNNING": 1, "ABORTING": 1, "SUCCEEDED": 2, "QUEUED": 3, "SKIPPED": 4}


@dataclass
class _Branch:
    """A node and its sub-tree; ``phases`` counts the phases of all nodes below the node."""

    node: NodeExecution
    children: list[_Branch] = field(default_factory=list)
    phases: Counter[str] = field(default_factory=Counter)

    @property
    def phase(self) -> str:
        return self.node.phase.value


@dataclass(frozen=True)
class _Row:
    """One line: a node with ``inside`` hidden descendants, or a ``text`` that replaces the nodes ``joined``."""

    rails: str
    branch: _Branch | None = None
    inside: int = 0
    text: str = ""
    joined: tuple[_Branch, ...] = ()
    parent: _Row | None = None


def tree_lines(
    nodes: Sequence[NodeExecution], now: datetime, style: Style, *, height: int | None = None, name: str = ""
) -> list[str]:
    """Return the lines of a `Tree` of ``nodes``."""
    return Tree(nodes).lines(now, style, height=height, name=name)


class Tree:
    """Tree of nodes. The layout is computed once per height; only the times change between calls of `lines`."""

    def __init__(self, nodes: Sequence[NodeExecution]) -> None:
        self._roots = _forest(nodes)
        self._layouts: dict[int | None, tuple[list[_Row], str]] = {}

    def lines(self, now: datetime, style: Style, *, height: int | None = None, name: str = "") -> list[str]:
        """Return one line per node, at most ``height`` lines.

        ``name`` is the execution's name; the commands that answer a waiting gate contain it.
        """
        if height not in self._layouts:
            shown, hidden = _fit(self._roots, height)
            self._layouts = {height: (shown, _summary(hidden) if hidden else "")}
        rows, summary = self._layouts[height]
        label_width = max((width(row.rails) + 2 + width(_label(row.branch.node)) for row in rows if row.branch), default=0)
        lines = [_line(row, label_width, now, style, name) for row in rows]
        return [*lines, style.dim(summary)] if summary else lines


def headline(execution: Execution, now: datetime, style: Style) -> str:
    """Return the line of the execution."""
    phase = execution.phase.value
    what = execution.workflow or execution.launch_plan or ""
    elapsed = elapsed_text(execution.started_at, execution.finished_at, now)
    parts = [style.phase(phase, glyph(phase)), style.bold(execution.name), what, style.phase(phase), style.dim(elapsed)]
    parts.append(style.dim(pause_text(execution, now)))
    return "  ".join(part for part in parts if part).replace("  ", " ", 1)


def _forest(nodes: Sequence[NodeExecution]) -> list[_Branch]:
    """Return the roots of the trees. Callers precede the nodes that they call."""
    branches = {node.id: _Branch(node) for node in nodes}
    roots: list[_Branch] = []
    for node in nodes:
        parent = branches.get(node.id.rpartition(".")[0])
        (roots if parent is None else parent.children).append(branches[node.id])
    for node in reversed(nodes):
        parent = branches.get(node.id.rpartition(".")[0])
        if parent is not None:
            own = branches[node.id]
            parent.phases[own.phase] += 1
            if own.phases:
                parent.phases.update(own.phases)
    return roots


Fold = Callable[[_Branch], bool]


def _fit(roots: Sequence[_Branch], height: int | None) -> tuple[list[_Row], list[_Row]]:
    """Return the rows to show and the rows that do not fit."""
    reductions: list[tuple[Fold, bool]] = [(lambda _: False, False), (_all_done, False), (_all_done, True)]
    rows: list[_Row] = []
    for folds, joins in reductions:
        rows = list(_rows(roots, folds, joins))
        if height is None or len(rows) <= height:
            return rows, []
    assert height is not None
    return _most_relevant(rows, max(height - 1, 1))


def _all_done(branch: _Branch) -> bool:
    return branch.phase in _DONE and branch.phases.keys() <= _DONE


def _rows(roots: Sequence[_Branch], folds: Fold, joins: bool) -> Iterator[_Row]:
    """Yield the rows of a forest. No recursion, because trees can be deep. ``joins``: quiet siblings become one row."""
    pending = [iter(_siblings(roots, None, "", joins))]
    while pending:
        row = next(pending[-1], None)
        if row is None:
            pending.pop()
            continue
        branch = row.branch
        if branch is None or not branch.children:
            yield row
        elif folds(branch):
            yield _Row(row.rails, branch, inside=branch.phases.total(), parent=row.parent)
        else:
            yield row
            below = row.rails[:-3] + ("   " if row.rails.endswith("└─ ") else "│  ")
            pending.append(iter(_siblings(branch.children, row, below, joins)))


def _siblings(branches: Sequence[_Branch], parent: _Row | None, rails: str, joins: bool) -> list[_Row]:
    shown, more = _shown_items(parent.branch, branches) if parent is not None and parent.branch is not None else (branches, "")
    groups = _grouped(shown) if joins else [[branch] for branch in shown]
    count = len(groups) + bool(more)
    rows = []
    for index, group in enumerate(groups):
        own = f"{rails}{'└─ ' if index == count - 1 else '├─ '}"
        if len(group) == 1:
            rows.append(_Row(own, group[0], parent=parent))
        else:
            rows.append(_Row(own, text=f"… {plural(len(group), 'node')} {group[0].phase}", joined=tuple(group), parent=parent))
    if more:
        rows.append(_Row(f"{rails}└─ ", text=more, parent=parent))
    return rows


def _shown_items(parent: _Branch, branches: Sequence[_Branch]) -> tuple[Sequence[_Branch], str]:
    """Return the items to show and a text that counts the others; large maps show only failed items."""
    if parent.node.kind != "map":
        return branches, ""
    total = parent.node.items.total if parent.node.items is not None else len(branches)
    if total <= ITEMS_SHOWN:
        return branches, ""
    failed = [branch for branch in branches if branch.phase in _FAILED][:ITEMS_SHOWN]
    return failed, f"… and {total - len(failed)} more" if failed else ""


def _grouped(branches: Sequence[_Branch]) -> list[list[_Branch]]:
    """Group neighbours that have the same quiet phase and only quiet nodes below them."""
    groups: list[list[_Branch]] = []
    for branch in branches:
        quiet = branch.phase in _QUIET and branch.phases.keys() <= _QUIET
        if groups and quiet and groups[-1][0].phase == branch.phase and groups[-1][0].phases.keys() <= _QUIET:
            groups[-1].append(branch)
        else:
            groups.append([branch])
    return [part for group in groups for part in ([group] if len(group) >= _MIN_GROUP else [[one] for one in group])]


def _most_relevant(rows: list[_Row], room: int) -> tuple[list[_Row], list[_Row]]:
    """Return the ``room`` most relevant rows in order, including their parents, and the other rows."""

    def rank(index: int) -> tuple[int, int]:
        branch = rows[index].branch
        if branch is None:
            return 5, index
        waits = branch.node.gate is not None and branch.phase == "RUNNING"
        return (0 if waits else _RANKS.get(branch.phase, 0)), index

    kept: set[int] = set()
    places = {id(row): index for index, row in enumerate(rows)}
    for index in sorted(range(len(rows)), key=rank):
        needed = []
        row: _Row | None = rows[index]
        while row is not None and places[id(row)] not in kept:
            needed.append(places[id(row)])
            row = row.parent
        if len(kept) + len(needed) <= room:
            kept.update(needed)
    shown = [row for index, row in enumerate(rows) if index in kept]
    return shown, [row for index, row in enumerate(rows) if index not in kept]


def _summary(hidden: Sequence[_Row]) -> str:
    counts: Counter[str] = Counter()
    for row in hidden:
        for branch in row.joined or ([row.branch] if row.branch is not None else []):
            counts[branch.phase] += 1
            if row.inside or row.joined:
                counts.update(branch.phases)
    detail = ", ".join(f"{count} {phase}" for phase, count in counts.items())
    return f"… {plural(counts.total(), 'more node')}: {detail}"


def _label(node: NodeExecution) -> str:
    own = node.id.rpartition(".")[2]
    name = one_line(node.name)
    return own if name in ("", own) else f"{own} {name}"


def _line(row: _Row, label_width: int, now: datetime, style: Style, name: str) -> str:
    if row.branch is None:
        return style.dim(f"{row.rails}{row.text}")
    node = row.branch.node
    phase = node.phase.value
    label = _label(node)
    gap = " " * (label_width - width(row.rails) - 2 - width(label))
    details = [taken_case(node, [child.node for child in row.branch.children]), *node_details(node, name, now)]
    if row.inside:
        details.append(f"{plural(row.inside, 'node')} inside")
    elapsed = elapsed_text(node.started_at, node.finished_at, now).rjust(6)
    text = "  ".join([elapsed, *(detail for detail in details if detail)]).rstrip()
    if phase == "SKIPPED":
        return style.dim(f"{row.rails}{glyph(phase)} {label}{gap}  {phase}" + (f"  {text}" if text else ""))
    head = f"{style.dim(row.rails)}{style.phase(phase, glyph(phase))} {label}{gap}"
    if not text:
        return f"{head}  {style.phase(phase)}"
    return f"{head}  {style.phase(phase, phase.ljust(9))}  {style.dim(text)}"


def node_details(node: NodeExecution, execution: str = "", now: datetime | None = None) -> list[str]:
    """Return the details of a node's line: attempts, lost tries, details of its kind, and its message or error.

    ``execution`` is the execution's name; the command that answers a waiting gate contains it.
    """
    details = []
    if node.attempts > 1:
        details.append(f"attempt {node.attempts}")
    lost = sum(attempt.tries - 1 for attempt in node.attempt_history)
    if lost:
        details.append(f"restarted {lost}× by the platform")
    if node.items is not None:
        details.append(items_text(node.items))
    if node.child_execution is not None:
        from flytemp.names import execution_name

        details.append(f"execution {one_line(execution_name(node.child_execution))}")
    if node.gate is not None:
        details += gate_details(node.gate, node, execution, now)
    if node.error is not None and _is_own_error(node):
        details.append(one_line(f"{node.error.code}: {node.error.message}", _MESSAGE_LIMIT))
    elif node.message and not node.phase.is_final and node.gate is None:  # gate_details covers gates
        details.append(one_line(node.message, _MESSAGE_LIMIT))
    return details


def _is_own_error(node: NodeExecution) -> bool:
    """Return whether the error began at this node and not at a node inside it."""
    assert node.error is not None
    if node.kind == "workflow":
        return False
    return node.kind == "launch_plan" or node.error.node in (None, node.id)


def items_text(items: MapItems) -> str:
    """Return the progress of a map: ``53 of 100 done, 2 failed, 8 running``."""
    parts = [f"{items.succeeded} of {items.total} done"]
    if items.failed:
        parts.append(f"{items.failed} failed")
    if items.running:
        parts.append(f"{items.running} running")
    return ", ".join(parts)


def gate_details(gate: GateInfo, node: NodeExecution, execution: str, now: datetime | None) -> list[str]:
    """Return the answer of a gate, or the command that answers a waiting gate."""
    if gate.answer is not None:
        return [answer_text(gate.answer)]
    if node.phase.value != "RUNNING":
        return []
    name = one_line(gate.name)
    if gate.kind == "approve":
        wanted, command = "approval", f"flytemp approve {execution} {name}"
    else:
        wanted, command = literal_type_text(gate.type), f"flytemp set-input {execution} {name} VALUE"
    details = [f"waits for {wanted}: {command}" if execution else f"waits for {wanted}"]
    if gate.deadline is not None and now is not None:
        details.append(f"times out in {duration_text((gate.deadline - now).total_seconds())}")
    return details


def answer_text(answer: GateAnswer) -> str:
    """Return a gate's answer: ``approved by ann@host at 2026-01-31 12:00:00: fine``."""
    if answer.approved is None:
        result = f"set to {one_line(json_text(answer.value), _VALUE_LIMIT)}"
    else:
        result = "approved" if answer.approved else "rejected"
    by = f" by {one_line(answer.by)}" if answer.by else ""
    at = f" at {time_text(answer.at)}" if answer.at is not None else ""
    reason = f": {one_line(answer.reason, _MESSAGE_LIMIT)}" if answer.reason else ""
    return f"{result}{by}{at}{reason}"


def pause_text(execution: Execution, now: datetime) -> str:
    """Return who paused an execution, when and why; empty if it is not paused."""
    paused = execution.paused
    if paused is None:
        return ""
    by = f" by {one_line(paused.by)}" if paused.by else ""
    at = f" {duration_text((now - paused.at).total_seconds())} ago" if paused.at is not None else ""
    reason = f": {one_line(paused.reason, _MESSAGE_LIMIT)}" if paused.reason else ""
    return f"paused{by}{at}{reason}"


def taken_case(node: NodeExecution, cases: list[NodeExecution]) -> str:
    """Return the case that a branch node took; empty if none was taken yet."""
    taken = [case for case in cases if case.phase.value != "SKIPPED"]
    if node.kind != "branch" or len(taken) != 1 or taken[0].phase.value == "QUEUED":
        return ""
    own = taken[0].id.rpartition(".")[2]
    return f"took {own}" if taken[0].name in ("", own) else f"took {own} {one_line(taken[0].name)}"
