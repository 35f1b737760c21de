"""Start of a run: loads the plan, and the state of an earlier run, and creates the engine."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from temporalio import workflow

from flytemp.literals.allowed_uris import AllowedUris
from flytemp.protocol import activities as protocol
from flytemp.protocol.io_requests import DYNAMIC_PLANS, DynamicPlansArgument
from flytemp.protocol.workflow import ChunkArgument, Continuation
from flytemp.spec import bindings
from flytemp.spec.pages import from_pages
from flytemp_worker.engine import snapshot
from flytemp_worker.engine.capacity import ChunkRole, Limits
from flytemp_worker.engine.machine import Engine
from flytemp_worker.engine.manual_retry import nodes_to_retry
from flytemp_worker.engine.messages import RetryRequested
from flytemp_worker.engine.plan import Plan
from flytemp_worker.node_kinds import REGISTRY, new_engine
from flytemp_worker.node_kinds.dynamics import sources
from flytemp_worker.node_kinds.map_chunks import chunk_engine
from flytemp_worker.workflow import activity_calls
from flytemp_worker.workflow.gate_answer_checks import as_application_error, gate_conversion
from flytemp_worker.workflow.runner import WorkflowRunner, now

_PLANS_PER_CALL = 200
_MANY_ROWS = 4_000


async def load(runner: WorkflowRunner) -> None:
    """Create the engine of a run without a predecessor, and start it.

    An execution that is retried starts from the state in which it closed.
    """
    plan = runner.resolved.plan
    engine = await _create_engine(runner, [plan] if plan is not None else None)
    retry_nodes = runner.resolved.retry_nodes
    if retry_nodes is not None:
        await _restore_state(runner, engine, protocol.StatePage(runner.root, 0, closed=True), runner.resolved.state_pages)
        runner.update_epoch()
        nodes = tuple(retry_nodes)
        as_application_error(nodes_to_retry, engine, nodes)
        runner.is_ready = True
        runner.enqueue_commands(engine.step(RetryRequested(nodes), now()))
        return
    chunk = runner.chunk
    if chunk is not None:
        engine.epoch = chunk.epoch
        engine.answers.update(chunk.answers)  # before the gates of the calls start
        if chunk.paused is not None:  # before the tasks of the calls start
            engine.paused = {"by": chunk.paused.by, "reason": chunk.paused.reason, "at": now()}
    runner.update_epoch()
    runner.is_ready = True
    runner.enqueue_commands(engine.begin(now()))


async def restore(runner: WorkflowRunner, continued: Continuation) -> None:
    """Create the engine of a run that continues another, and resume the work in flight.

    A cancellation meanwhile is the engine's first event: tasks may be in flight from the previous run.
    """
    engine = await _create_engine(runner, None)
    chunk = runner.chunk
    name = f"{chunk.name}/{chunk.attempt}" if chunk is not None else None
    first = protocol.StatePage(runner.root, 0, continued.generation, name)
    runner.reset.begin(await _restore_state(runner, engine, first, continued.pages))
    runner.update_epoch()
    runner.is_ready = True
    runner.enqueue_commands(engine.resume(now()))
    if runner.events:  # only activities that were scheduled again can be cancelled
        runner.dispatch_commands()
        await runner.uncancelled(activity_calls.short_timer(0))


async def _create_engine(runner: WorkflowRunner, plan_pages: list[str] | None) -> Engine:
    if runner.chunk is not None:
        engine = await _chunk_engine(runner, runner.chunk)
    else:
        engine = _execution_engine(runner, plan_pages or await _load_plan_pages(runner))
    runner.engine = engine
    engine.seed = runner.root
    engine.capacity.window = runner.window.size
    engine.convert = gate_conversion(AllowedUris(runner.settings.allowed_uris))
    return engine


def _execution_engine(runner: WorkflowRunner, plan_pages: list[str]) -> Engine:
    resolved = runner.resolved
    if not runner.generation:
        runner.reset.begin(resolved.is_reset)
    plan = Plan(from_pages(plan_pages))
    if resolved.timeout_seconds is not None:
        plan.root.timeout = resolved.timeout_seconds
    return new_engine(plan, resolved.inputs, _limits(runner, runner.settings.max_parallelism))


def _limits(runner: WorkflowRunner, max_parallelism: int) -> Limits:
    settings = runner.settings
    return Limits(
        max_parallelism,
        settings.max_in_flight,
        settings.max_system_tries,
        settings.max_map_items,
        settings.max_dynamic_depth,
    )


async def _chunk_engine(runner: WorkflowRunner, chunk: ChunkArgument) -> Engine:
    first_run_id = workflow.info().first_execution_run_id
    argument = protocol.ChunkPlanArgument(
        runner.root, chunk.node, chunk.source, chunk.graph, chunk.local, chunk.given, first_run_id
    )
    loaded = await runner.call(protocol.CHUNK_PLAN, argument, summary="the chunk's plan and items")
    if not runner.generation:
        runner.reset.begin(loaded.is_reset)
    plan = Plan(from_pages(loaded.pages), chunk.source)
    return chunk_engine(
        plan,
        REGISTRY,
        _limits(runner, chunk.width),
        ChunkRole(chunk.max_failures, chunk.attempts_before),
        path=chunk.node,
        local=chunk.local,
        first=chunk.first,
        count=chunk.count,
        given={**chunk.given, **{var: bindings.literal(items) for var, items in (loaded.items or {}).items()}},
    )


async def _restore_state(runner: WorkflowRunner, engine: Engine, first: protocol.StatePage, count: int) -> bool:
    """Load the ``count`` pages of a state, of which ``first`` names the first, into the engine.

    Return True if the run was reset to a point before this call.
    """
    handles = [
        activity_calls.control(protocol.LOAD_STATE_PAGE, replace(first, page=page), summary=f"state, page {page + 1}")
        for page in range(count)
    ]
    pages = [protocol.LOAD_STATE_PAGE.read_result(await runner.uncancelled(handle)) for handle in handles]
    state = from_pages([page.text for page in pages])
    dynamics = await _load_dynamics(runner, sources(state["rows"]))
    await _yield_activation(runner, len(state["rows"]))
    snapshot.fill(engine, state, dynamics)
    await _yield_activation(runner, len(state["rows"]))
    return pages[0].is_reset


async def _yield_activation(runner: WorkflowRunner, rows: int) -> None:
    """End the activation after expensive work. On a busy machine it would otherwise exceed the limit of 2 s."""
    if rows > _MANY_ROWS:
        await runner.uncancelled(activity_calls.short_timer(0))


async def _load_dynamics(runner: WorkflowRunner, wanted: list[str]) -> dict[str, Any]:
    """Return the plans of dynamic nodes by source. One call returns many of them, as an execution may have hundreds."""
    plans: dict[str, Any] = {}
    while wanted:
        argument = DynamicPlansArgument(runner.root, wanted[:_PLANS_PER_CALL])
        summary = f"graphs of {len(argument.sources)} dynamic nodes"
        loaded = await runner.call(DYNAMIC_PLANS, argument, summary=summary)
        plans.update(from_pages(loaded.pages))
        wanted = wanted[loaded.done :]
    return plans


async def _load_plan_pages(runner: WorkflowRunner) -> list[str]:
    handles = [
        activity_calls.control(protocol.LOAD_PLAN_PAGE, protocol.PlanPage(runner.root, page), summary=f"plan, page {page + 1}")
        for page in range(runner.resolved.plan_pages)
    ]
    return [await runner.uncancelled(handle) for handle in handles]
