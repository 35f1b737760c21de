"""An execution, or a chunk of a map, from the first to the last step of one run.

The modules of this package, in the order of a run: `loading` creates the engine, `runner` runs the loop between the engine and
Temporal, `operations` and `child_workflows` start what the engine's commands ask for, `journal` writes node states for readers,
`continue_as_new` and `closing` end the run.

A change that alters the Temporal commands of an existing history needs a patch; see `patches`.
"""

from __future__ import annotations

from typing import Any

from temporalio import workflow

from flytemp.protocol.workflow import ChunkArgument, Continuation, Resolved
from flytemp_worker.workflow import closing, loading
from flytemp_worker.workflow.continue_as_new import continue_as_new
from flytemp_worker.workflow.message_handlers import MessageHandlers
from flytemp_worker.workflow.reset_epoch import ResetEpoch
from flytemp_worker.workflow.runner import WorkflowRunner
from flytemp_worker.workflow.visibility import upsert_search_attributes


async def run(
    resolved: Resolved, chunk: ChunkArgument | None, handlers: MessageHandlers, reset: ResetEpoch
) -> dict[str, Any]:
    """Run an execution, or a chunk of a map, from its start. Return the Temporal workflow's result."""
    if chunk is None and resolved.search_attributes:
        upsert_search_attributes(resolved)
    for warning in resolved.warnings:
        workflow.logger.warning("%s: %s", resolved.execution, warning)
    runner = WorkflowRunner(resolved, reset, chunk)
    handlers.open(runner)
    await loading.load(runner)
    return await _run(runner)


async def continue_run(continued: Continuation, handlers: MessageHandlers, reset: ResetEpoch) -> dict[str, Any]:
    """Continue an execution or chunk from the state that the previous run saved. Return the Temporal workflow's result."""
    runner = WorkflowRunner(continued.resolved, reset, continued.chunk, continued.generation)
    handlers.open(runner)
    await loading.restore(runner, continued)
    return await _run(runner)


async def _run(runner: WorkflowRunner) -> dict[str, Any]:
    runner.watch_parent()
    while (finish := await runner.run()) is None:
        await continue_as_new(runner)  # returns if the run has to process an event first
        runner.process_events()
    return await closing.close(runner, finish)
