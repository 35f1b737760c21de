"""Current details and search attributes: the view of an execution in Temporal's own UI and lists."""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributeKey

from flytemp.protocol.search_attributes import DOMAIN, LABELS, LAUNCH_PLAN, PROJECT, VERSION, WORKFLOW
from flytemp.protocol.workflow import Resolved
from flytemp_worker.engine.machine import Engine
from flytemp_worker.engine.phases import NodePhase

_SHOWN_NODES = 15


def details(engine: Engine, resolved: Resolved) -> str:
    """Return Markdown for ``set_current_details``: the progress and the running nodes. The cost does not grow with the plan."""
    total = " · ".join(f"{count} {phase.lower()}" for phase, count in engine.counts.items() if count)
    lines = [
        f"**{resolved.workflow}** {resolved.version}, execution `{resolved.execution}`",
        "",
        total or "no nodes",
    ]
    shown = list(engine.active.values())[:_SHOWN_NODES]
    for node in shown:
        attempt = f", attempt {node.attempt}" if node.attempt > 1 else ""
        phase = "waits for its next attempt" if node.phase is NodePhase.BACKOFF else node.phase.lower()
        lines.append(f"- `{node.path}` {node.plan.name}: {phase}{attempt}")
    if len(engine.active) > len(shown):
        lines.append(f"- … and {len(engine.active) - len(shown)} more")
    if engine.root.error is not None:
        lines.append(f"\nfailed: `{engine.root.error.get('node', '')}` {engine.root.error['message'][:500]}")
    return "\n".join(lines)


def upsert_search_attributes(resolved: Resolved) -> None:
    """Set flytemp's search attributes, whichever program started the workflow. The namespace must have the attributes."""
    values = {
        PROJECT: resolved.project,
        DOMAIN: resolved.domain,
        WORKFLOW: resolved.workflow,
        VERSION: resolved.version,
        LAUNCH_PLAN: resolved.launch_plan or resolved.workflow,
    }
    updates: list[Any] = [SearchAttributeKey.for_keyword(key).value_set(value) for key, value in values.items()]
    if resolved.labels:
        labels = [f"{key}={value}" for key, value in resolved.labels.items()]
        updates.append(SearchAttributeKey.for_keyword_list(LABELS).value_set(labels))
    workflow.upsert_search_attributes(updates)
