"""Texts of boxes and arrows: conditions, durations, settings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flytemp.spec.models import Binding, Condition, GateSpec, MapSpec, NodeSpec, TaskSettings, WorkflowSpec

LABEL_LIMIT = 44
"""Maximum number of characters of a title or label; tooltips contain the complete text."""

_VALUE_LIMIT = 24


def short(name: str) -> str:
    """Return the last part of a registered name or of a URN's name."""
    parts = name.split(":")
    return (parts[3] if len(parts) > 3 else name).rpartition(".")[2]


def clipped(text: str, limit: int = LABEL_LIMIT) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def span(seconds: float) -> str:
    """Return the exact duration in a short form: ``1h30m``, ``45s``, ``250ms``."""
    if seconds < 1:
        return f"{seconds * 1000:g}ms"
    whole = int(seconds)
    if whole != seconds:
        return f"{seconds:g}s"
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        if whole >= size:
            parts.append(f"{whole // size}{unit}")
            whole %= size
    return "".join(parts)


def condition_text(condition: Condition) -> str:
    """Return a condition as a Python expression with node ids: ``n0 > 0.5 and mode == "fast"``."""
    if condition.kind == "comparison":
        return f"{operand_text(condition.left)} {condition.operator} {operand_text(condition.right)}"
    # Nested conditions need parentheses unless both have the same operator.
    terms = [
        text if term.kind in ("comparison", condition.kind) else f"({text})"
        for term in condition.terms
        for text in (condition_text(term),)
    ]
    return f" {condition.kind} ".join(terms)


def operand_text(binding: Binding) -> str:
    """Return a short text of a binding; the output ``o0`` is written as the node's id."""
    match binding.kind:
        case "literal":
            return clipped(json.dumps(binding.value, ensure_ascii=False), _VALUE_LIMIT)
        case "input":
            return binding.var + _path_text(binding.path)
        case "output":
            var = "" if binding.var == "o0" else f".{binding.var}"
            return binding.node + var + _path_text(binding.path)
        case "error":
            return "the error"
        case "list":
            return f"[{', '.join(operand_text(item) for item in binding.items)}]"
        case "map":
            return "{" + ", ".join(f"{key}: {operand_text(item)}" for key, item in binding.entries.items()) + "}"


def _path_text(path: tuple[str | int, ...]) -> str:
    return "".join(f".{part}" if isinstance(part, str) else f"[{part}]" for part in path)


def settings_notes(settings: TaskSettings | None) -> Iterator[str]:
    """Yield the notes about retries and time limits."""
    if settings is None:
        return
    if settings.retries.count:
        yield "1 retry" if settings.retries.count == 1 else f"{settings.retries.count} retries"
    if settings.timeout_seconds is not None:
        yield f"timeout {span(settings.timeout_seconds)}"
    if settings.queued_timeout_seconds is not None:
        yield f"queued at most {span(settings.queued_timeout_seconds)}"
    if settings.deadline_seconds is not None:
        yield f"deadline {span(settings.deadline_seconds)}"


def workflow_notes(workflow: WorkflowSpec) -> Iterator[str]:
    if workflow.timeout_seconds is not None:
        yield f"timeout {span(workflow.timeout_seconds)}"
    if workflow.failure_policy != "fail-immediately":
        yield "continues after a failure"


def map_size(node: NodeSpec) -> int | None:
    """Return the number of items of a map if it is known before the run."""
    from flytemp.spec.binding_types import known_length

    lengths = (known_length(node.inputs.get(name)) for name in (node.map.over if node.map is not None else ()))
    return next((length for length in lengths if length is not None), None)


def map_notes(spec: MapSpec) -> Iterator[str]:
    if spec.concurrency:
        yield f"{spec.concurrency} at once"
    if spec.min_successes is not None:
        yield f"at least {spec.min_successes} succeed"
    if spec.min_success_ratio < 1:
        yield f"at least {spec.min_success_ratio * 100:g} % succeed"
    if spec.items_per_task > 1:
        yield f"{spec.items_per_task} items per task"


def gate_title(gate: GateSpec) -> str:
    if gate.kind == "approve":
        return f"approve {gate.name}"
    from flytemp.literals.describe import describe_type

    type_ = f": {describe_type(gate.type)}" if gate.type is not None else ""
    return f"input {gate.name}{type_}"


def gate_notes(gate: GateSpec) -> Iterator[str]:
    if gate.timeout_seconds is not None:
        yield f"timeout {span(gate.timeout_seconds)}"
