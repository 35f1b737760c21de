"""An execution's nodes as a tree of lines.

A map is one line, with its items below where they are few or failed. Where the tree is taller than it may be, sub-trees
of which all is done become one line each, then rows of nodes of which nothing is to be told; what still has no room is
counted in the last line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from flytemp_cli.describe import elapsed_text, plural
from flytemp_cli.node_view import inside_text, node_details, pause_text, taken_case
from flytemp_cli.style import Style, glyph, one_line, width

if TYPE_CHECKING:
    from flytemp.records.models import Execution, NodeExecution

LINES = 200
"""Of a tree that nobody limits otherwise: the rest is summarised."""

ITEMS_SHOWN = 10
"""Of a map: so many are all shown; of more, at most so many that failed."""

_FOLDED_ROWS = 3  # fewer nodes of one phase in a row are shown themselves

_DONE = frozenset({"SUCCEEDED", "SKIPPED"})
_QUIET = frozenset({"SUCCEEDED", "SKIPPED", "QUEUED"})
_FAILED = frozenset({"FAILED", "TIMED_OUT"})
_ORDER = {"RUNNING": 1, "ABORTING": 1, "SUCCEEDED": 2, "QUEUED": 3, "SKIPPED": 4}


@dataclass
class _Branch:
    """A node and what is below it; ``phases`` are those of all nodes below."""

    node: NodeExecution
    children: list[_Branch] = field(default_factory=list)
    phases: Counter[str] = field(default_factory=Counter)

    @property
    def phase(self) -> str:
        return self.node.phase.value


@dataclass(frozen=True)
class _Row:
    """One line: a node, with the number of ``inside`` that are not shown; or only a ``text`` for ``stands_for``."""

    rails: str
    branch: _Branch | None = None
    inside: int = 0
    text: str = ""
    stands_for: tuple[_Branch, ...] = ()
    above: _Row | None = None


def tree_lines(
    nodes: Sequence[NodeExecution], now: datetime, style: Style, *, height: int | None = None, name: str = ""
) -> list[str]:
    """The lines of a `Tree` that is drawn once."""
    return Tree(nodes).lines(now, style, height=height, name=name)


class Tree:
    """Nodes below those that called them. It may be drawn again and again: only the times in it change."""

    def __init__(self, nodes: Sequence[NodeExecution]) -> None:
        self._roots = _forest(nodes)
        self._fitted: dict[int | None, tuple[list[_Row], str]] = {}

    def lines(self, now: datetime, style: Style, *, height: int | None = None, name: str = "") -> list[str]:
        """One line per node; at most ``height`` lines, where it is given.

        ``name`` is the execution's: gates that wait are answered by it.
        """
        if height not in self._fitted:
            shown, hidden = _fitting(self._roots, height)
            self._fitted = {height: (shown, _summary(hidden) if hidden else "")}
        rows, summary = self._fitted[height]
        label_width = max((width(row.rails) + 2 + width(_label(row.branch.node)) for row in rows if row.branch), default=0)
        lines = [_line(row, label_width, now, style, name) for row in rows]
        return [*lines, style.dim(summary)] if summary else lines


def headline(execution: Execution, now: datetime, style: Style) -> str:
    """The execution itself in one line."""
    phase = execution.phase.value
    what = execution.workflow or execution.launch_plan or ""
    elapsed = elapsed_text(execution.started_at, execution.finished_at, now)
    parts = [style.phase(phase, glyph(phase)), style.bold(execution.name), what, style.phase(phase), style.dim(elapsed)]
    parts.append(style.dim(pause_text(execution, now)))
    return "  ".join(part for part in parts if part).replace("  ", " ", 1)


def _forest(nodes: Sequence[NodeExecution]) -> list[_Branch]:
    """Nodes come after their callers."""
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


def _fitting(roots: Sequence[_Branch], height: int | None) -> tuple[list[_Row], list[_Row]]:
    """The rows to show, and those for which there is no room."""
    ways: list[tuple[Fold, bool]] = [(lambda _: False, False), (_all_done, False), (_all_done, True)]
    rows: list[_Row] = []
    for folds, joins in ways:
        rows = list(_rows(roots, folds, joins))
        if height is None or len(rows) <= height:
            return rows, []
    assert height is not None
    return _most_telling(rows, max(height - 1, 1))


def _all_done(branch: _Branch) -> bool:
    return branch.phase in _DONE and branch.phases.keys() <= _DONE


def _rows(roots: Sequence[_Branch], folds: Fold, joins: bool) -> Iterator[_Row]:
    """The rows of a forest, without recursion: a tree may be deep. ``joins``: quiet siblings become one row."""
    waiting = [iter(_siblings(roots, None, "", joins))]
    while waiting:
        row = next(waiting[-1], None)
        if row is None:
            waiting.pop()
            continue
        branch = row.branch
        if branch is None or not branch.children:
            yield row
        elif folds(branch):
            yield _Row(row.rails, branch, inside=branch.phases.total(), above=row.above)
        else:
            yield row
            below = row.rails[:-3] + ("   " if row.rails.endswith("└─ ") else "│  ")
            waiting.append(iter(_siblings(branch.children, row, below, joins)))


def _siblings(branches: Sequence[_Branch], above: _Row | None, rails: str, joins: bool) -> list[_Row]:
    shown, more = _items(above.branch, branches) if above is not None and above.branch is not None else (branches, "")
    groups = _grouped(shown) if joins else [[branch] for branch in shown]
    count = len(groups) + bool(more)
    rows = []
    for index, group in enumerate(groups):
        own = f"{rails}{'└─ ' if index == count - 1 else '├─ '}"
        if len(group) == 1:
            rows.append(_Row(own, group[0], above=above))
        else:
            rows.append(_Row(own, text=f"… {plural(len(group), 'node')} {group[0].phase}", stands_for=tuple(group), above=above))
    if more:
        rows.append(_Row(f"{rails}└─ ", text=more, above=above))
    return rows


def _items(parent: _Branch, branches: Sequence[_Branch]) -> tuple[Sequence[_Branch], str]:
    """Of a large map only items that failed are shown; and how many there are beside them."""
    if parent.node.kind != "map":
        return branches, ""
    total = parent.node.items.total if parent.node.items is not None else len(branches)
    if total <= ITEMS_SHOWN:
        return branches, ""
    failed = [branch for branch in branches if branch.phase in _FAILED][:ITEMS_SHOWN]
    return failed, f"… and {total - len(failed)} more" if failed else ""


def _grouped(branches: Sequence[_Branch]) -> list[list[_Branch]]:
    """Neighbours of one quiet phase, with nothing below that is not as quiet, together."""
    groups: list[list[_Branch]] = []
    for branch in branches:
        quiet = branch.phase in _QUIET and branch.phases.keys() <= _QUIET
        if groups and quiet and groups[-1][0].phase == branch.phase and groups[-1][0].phases.keys() <= _QUIET:
            groups[-1].append(branch)
        else:
            groups.append([branch])
    return [part for group in groups for part in ([group] if len(group) >= _FOLDED_ROWS else [[one] for one in group])]


def _most_telling(rows: list[_Row], room: int) -> tuple[list[_Row], list[_Row]]:
    """The ``room`` rows worth seeing, in order, with what they are below of; and the others."""

    def rank(index: int) -> tuple[int, int]:
        branch = rows[index].branch
        if branch is None:
            return 5, index
        waits = branch.node.gate is not None and branch.phase == "RUNNING"
        return (0 if waits else _ORDER.get(branch.phase, 0)), index

    kept: set[int] = set()
    places = {id(row): index for index, row in enumerate(rows)}
    for index in sorted(range(len(rows)), key=rank):
        needed = []
        row: _Row | None = rows[index]
        while row is not None and places[id(row)] not in kept:
            needed.append(places[id(row)])
            row = row.above
        if len(kept) + len(needed) <= room:
            kept.update(needed)
    shown = [row for index, row in enumerate(rows) if index in kept]
    return shown, [row for index, row in enumerate(rows) if index not in kept]


def _summary(hidden: Sequence[_Row]) -> str:
    counts: Counter[str] = Counter()
    for row in hidden:
        for branch in row.stands_for or ([row.branch] if row.branch is not None else []):
            counts[branch.phase] += 1
            if row.inside or row.stands_for:
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
    told = [taken_case(node, [child.node for child in row.branch.children]), *node_details(node, name, now)]
    if row.inside:
        told.append(inside_text(row.inside))
    told = [part for part in told if part]
    details = "  ".join([elapsed_text(node.started_at, node.finished_at, now).rjust(6), *told]).rstrip()
    if phase == "SKIPPED":
        return style.dim(f"{row.rails}{glyph(phase)} {label}{gap}  {phase}" + (f"  {details}" if details else ""))
    head = f"{style.dim(row.rails)}{style.phase(phase, glyph(phase))} {label}{gap}"
    if not details:
        return f"{head}  {style.phase(phase)}"
    return f"{head}  {style.phase(phase, phase.ljust(9))}  {style.dim(details)}"
