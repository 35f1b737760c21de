"""Terminate an execution together with what it started: Temporal ends one workflow only."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from temporalio.client import Client as TemporalClient
from temporalio.service import RPCError, RPCStatusCode

from flytemp.temporal.workflows import unavailable

_WAITS = (0.0, 0.2, 0.5, 1.0)
"""Seconds before each look: a workflow that has just started is listed a moment later."""

_PARENTS_ASKED = 50
"""Ids in one query."""


async def terminate_children(temporal: TemporalClient, workflow_id: str, reason: str) -> int:
    """End what the terminated workflow started, and what that started; returns how many were ended.

    What they started meanwhile is looked for a few times more, until there is no more.
    """
    parents = [workflow_id]
    ended: set[str] = set()
    for wait in _WAITS:
        await asyncio.sleep(wait)
        looked_at = 0
        while looked_at < len(parents):  # children found are parents to ask for, in the same look
            asked = parents[looked_at : looked_at + _PARENTS_ASKED]
            looked_at += len(asked)
            for child in await _running_children(temporal, asked):
                if child not in ended:
                    ended.add(child)
                    parents.append(child)
                await _terminate(temporal, child, reason)
    return len(ended)


async def _running_children(temporal: TemporalClient, parents: Sequence[str]) -> list[str]:
    ids = ", ".join(_quoted(parent) for parent in parents)
    query = f"ParentWorkflowId IN ({ids}) AND ExecutionStatus = 'Running'"
    try:
        return [item.id async for item in temporal.list_workflows(query)]
    except RPCError as error:
        raise unavailable(error) from error


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


async def _terminate(temporal: TemporalClient, workflow_id: str, reason: str) -> None:
    try:
        await temporal.get_workflow_handle(workflow_id).terminate(reason=reason)
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:  # it may have ended by itself
            raise unavailable(error) from error
