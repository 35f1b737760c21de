"""What one line tells of a node or an execution beside its phase."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from flytemp_cli.describe import duration_text, json_text, literal_type_text, plural, time_text
from flytemp_cli.style import one_line

if TYPE_CHECKING:
    from flytemp.records.models import Execution, GateAnswer, GateInfo, MapItems, NodeExecution

_MESSAGE_LIMIT = 120
_VALUE_LIMIT = 60


def node_details(node: NodeExecution, execution: str = "", now: datetime | None = None) -> list[str]:
    """Attempts, tries the platform lost, what its kind has to tell, its message or its error.

    ``execution`` is the name by which a gate that waits can be answered.
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
    elif node.message and not node.phase.is_final and node.gate is None:  # a gate has told what it waits for
        details.append(one_line(node.message, _MESSAGE_LIMIT))
    return details


def _is_own_error(node: NodeExecution) -> bool:
    """Whether the error is told at this line, and not at the node inside that failed."""
    assert node.error is not None
    if node.kind == "workflow":
        return False
    return node.kind == "launch_plan" or node.error.node in (None, node.id)


def items_text(items: MapItems) -> str:
    """``53 of 100 done, 2 failed, 8 running``."""
    parts = [f"{items.succeeded} of {items.total} done"]
    if items.failed:
        parts.append(f"{items.failed} failed")
    if items.running:
        parts.append(f"{items.running} running")
    return ", ".join(parts)


def gate_details(gate: GateInfo, node: NodeExecution, execution: str, now: datetime | None) -> list[str]:
    """How to answer a gate that waits, or who answered it."""
    if gate.answer is not None:
        return [answer_text(gate.answer)]
    if node.phase.value != "RUNNING":
        return []
    name = one_line(gate.name)
    if gate.kind == "approve":
        what, command = "approval", f"flytemp approve {execution} {name}"
    else:
        what, command = literal_type_text(gate.type), f"flytemp set-input {execution} {name} VALUE"
    details = [f"waits for {what}: {command}" if execution else f"waits for {what}"]
    if gate.deadline is not None and now is not None:
        details.append(f"times out in {duration_text((gate.deadline - now).total_seconds())}")
    return details


def answer_text(answer: GateAnswer) -> str:
    """``approved by ann@host at 2026-01-31 12:00:00: fine``."""
    if answer.approved is None:
        what = f"given {one_line(json_text(answer.value), _VALUE_LIMIT)}"
    else:
        what = "approved" if answer.approved else "rejected"
    by = f" by {one_line(answer.by)}" if answer.by else ""
    at = f" at {time_text(answer.at)}" if answer.at is not None else ""
    reason = f": {one_line(answer.reason, _MESSAGE_LIMIT)}" if answer.reason else ""
    return f"{what}{by}{at}{reason}"


def pause_text(execution: Execution, now: datetime) -> str:
    """Who paused it, when and why; empty where it is not paused."""
    paused = execution.paused
    if paused is None:
        return ""
    by = f" by {one_line(paused.by)}" if paused.by else ""
    at = f" {duration_text((now - paused.at).total_seconds())} ago" if paused.at is not None else ""
    reason = f": {one_line(paused.reason, _MESSAGE_LIMIT)}" if paused.reason else ""
    return f"paused{by}{at}{reason}"


def taken_case(node: NodeExecution, cases: list[NodeExecution]) -> str:
    """Which case of a branch is taken, when that is decided."""
    taken = [case for case in cases if case.phase.value != "SKIPPED"]
    if node.kind != "branch" or len(taken) != 1 or taken[0].phase.value == "QUEUED":
        return ""
    own = taken[0].id.rpartition(".")[2]
    return f"took {own}" if taken[0].name in ("", own) else f"took {own} {one_line(taken[0].name)}"


def inside_text(count: int) -> str:
    return f"{plural(count, 'node')} inside"
