"""Continue-as-new: saves the engine's state and starts the next run, which resumes the work in flight."""

from __future__ import annotations

from dataclasses import replace

from temporalio import workflow

from flytemp.protocol import activities as protocol
from flytemp.protocol.message import Json
from flytemp.protocol.workflow import Continuation, ContinuedArgument
from flytemp.spec.pages import to_pages
from flytemp_worker.engine import snapshot
from flytemp_worker.engine.messages import IOCompleted, TaskCancelled, TaskFailed, TaskLost, TaskSucceeded, TimerFired
from flytemp_worker.workflow.runner import WorkflowRunner

MAX_EVENTS = 9_000
"""History length after which a run stops waiting for tasks that are about to end."""

REPEATED_EVENTS: tuple[type, ...] = (TaskSucceeded, TaskFailed, TaskLost, TaskCancelled, TimerFired, IOCompleted)
"""Events that the next run receives as well: it repeats the operation, whose committed result is found."""


async def continue_as_new(runner: WorkflowRunner) -> None:
    """Wait a while for work in flight, save the state and start the next run.

    Return without starting a run if the engine finished, is stopping, or received an event that would be lost otherwise.
    """
    engine = runner.engine
    engine.hold()
    await _await_tasks(runner)
    if runner.finish is not None:
        return
    await runner.drain()
    generation = runner.generation + 1
    if not engine.aborting:
        pages = await _save(runner, generation, snapshot.state(engine))
        if not has_unsaved_events(runner):
            await workflow.wait_condition(workflow.all_handlers_finished)
        if not has_unsaved_events(runner):
            chunk = replace(runner.chunk, width=runner.slots) if runner.chunk is not None else None
            first_run_id = workflow.info().first_execution_run_id
            continued = Continuation(replace(runner.resolved, plan=None), generation, pages, first_run_id, chunk)
            workflow.continue_as_new(ContinuedArgument(continued).to_json())
    engine.holding = False


async def _await_tasks(runner: WorkflowRunner) -> None:
    engine = runner.engine
    deadline = workflow.time() + runner.settings.drain_seconds
    while (engine.capacity.running or runner.has_commands) and runner.finish is None and not engine.aborting:
        left = deadline - workflow.time()
        if runner.has_commands:
            await runner.wait(short_timer=0)
        elif left <= 0 or workflow.info().get_current_history_length() > MAX_EVENTS:
            break
        else:
            await runner.wait(left)
        runner.process_events()
        runner.dispatch_commands()


def has_unsaved_events(runner: WorkflowRunner) -> bool:
    """Return True if an event arrived after the state was saved that the next run would not receive."""
    return any(not isinstance(event, REPEATED_EVENTS) for event in runner.events)


async def _save(runner: WorkflowRunner, generation: int, state: Json) -> int:
    """Save the plan, if only a history holds it, and the state. Return the number of the state's pages."""
    pages, chunk, plan = to_pages(state), runner.chunk, runner.resolved.plan
    if chunk is None and plan is not None:
        page = protocol.SavePlanPage(runner.root, 0, plan)
        await runner.call(protocol.SAVE_PLAN_PAGE, page, summary="the plan, for the next runs")
    name = f"{chunk.name}/{chunk.attempt}" if chunk is not None else None
    for number, text in enumerate(pages):
        saved = protocol.SaveStatePage(runner.root, number, generation, text, name)
        await runner.call(protocol.SAVE_STATE_PAGE, saved, summary=f"state, page {number + 1} of {len(pages)}")
    return len(pages)
