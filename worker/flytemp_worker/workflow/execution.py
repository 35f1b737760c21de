"""Behaviour version 1 of the interpreter: the loop between the engine and Temporal.

A change here that alters the order of commands for an existing history needs a new version beside this one;
the recorded histories in tests/replay tell. Read `shell` first: the loop. `loading` is how it begins, `work` what it starts,
`relatives` the child workflows, `journal` what a history would not tell, `ending` how it continues as new and closes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from temporalio import workflow

from flytemp_worker.workflow import loading
from flytemp_worker.workflow.runner import WorkflowRunner
from flytemp_worker.workflow.visibility import upsert_search_attributes


async def run(
    resolved: dict[str, Any], continued: dict[str, Any] | None, opened: Callable[[WorkflowRunner], None] = lambda shell: None
) -> dict[str, Any]:
    """Run the plan, or a part of a map, to its end and return the workflow's result.

    ``opened`` is given the shell before anything else happens.
    """
    part = (continued or resolved).get("part")
    if continued is None and part is None and resolved["search_attributes"]:
        upsert_search_attributes(resolved)
    for warning in resolved["warnings"] if continued is None else ():
        workflow.logger.warning("%s: %s", resolved["execution"], warning)
    shell = WorkflowRunner(resolved, continued["generation"] if continued else resolved.get("generation", 0), part)
    opened(shell)
    await loading.load(shell, continued)
    return await shell.run()
