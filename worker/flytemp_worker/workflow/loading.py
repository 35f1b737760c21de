"""How a run begins: with a plan, and the state of the run before it when it continues one."""

from __future__ import annotations

from typing import Any

from flytemp.spec.bindings import literal
from flytemp.spec.pages import from_pages
from flytemp_worker.engine import Engine, PauseRequested, Plan, RetryRequested, snapshot
from flytemp_worker.engine.kinds import concurrency_budget, maps
from flytemp_worker.engine.kinds.dynamics import sources
from flytemp_worker.engine.manual_retry import nodes_to_retry
from flytemp_worker.engine.nodes import GraphRun
from flytemp_worker.workflow import activity_calls
from flytemp_worker.workflow.errors import as_application_error
from flytemp_worker.workflow.gates import as_input
from flytemp_worker.workflow.runner import WorkflowRunner, now

_PLANS_AT_ONCE = 200
_MANY_ROWS = 4_000


async def load(shell: WorkflowRunner, continued: dict[str, Any] | None) -> None:
    """Fetch the plan, and the state when this run continues another, and start the engine.

    A cancellation meanwhile is the engine's first event: tasks may be in flight from the run before.
    """
    engine = await (_part(shell) if shell.part is not None else _execution(shell, continued))
    shell.engine = engine
    engine.seed = shell.root
    engine.window = shell.window
    engine.convert = as_input
    retry = shell.resolved.get("retry")
    if continued is not None or retry:
        await _restore(shell, engine, continued)
        if retry and continued is None:
            nodes = tuple(retry["nodes"])
            as_application_error(nodes_to_retry, engine, nodes)
            shell.ready = True
            shell.take(engine.step(RetryRequested(nodes), now()))
            return
        shell.ready = True
        shell.take(engine.resume(now()))
        if shell.events:  # what is in flight hears of the cancellation only when it was issued again
            shell.carry_out()
            await shell.uncancelled(activity_calls.pause(0))
        return
    shell.ready = True
    shell.take(engine.begin(now()))
    if shell.part is not None:
        _tell(shell, shell.part["told"])


async def _execution(shell: WorkflowRunner, continued: dict[str, Any] | None) -> Engine:
    plan = Plan(from_pages(await _plan_pages(shell, continued)))
    timeout = shell.resolved.get("timeout_seconds")
    if timeout is not None:
        plan.root.timeout = timeout
    return Engine(plan, shell.resolved["inputs"], max_parallelism=shell.settings["max_parallelism"], **_limits(shell))


def _limits(shell: WorkflowRunner) -> dict[str, int]:
    """The platform's bounds; an execution that an older worker resolved does not know all of them."""
    known = ("max_in_flight", "max_system_tries", "max_map_items", "max_dynamic_depth")
    return {name: shell.settings[name] for name in known if name in shell.settings}


async def _part(shell: WorkflowRunner) -> Engine:
    part = shell.part
    assert part is not None
    argument = {"execution": shell.root, **{key: part[key] for key in ("node", "source", "graph", "local", "given", "count")}}
    loaded = await shell.uncancelled(
        activity_calls.control(activity_calls.PART_PLAN, argument, summary="the part's plan and items")
    )
    plan = Plan(from_pages(loaded["pages"]), part["source"])
    plan.structured = True
    engine = Engine(plan, None, max_parallelism=part["width"], **_limits(shell))
    engine.most_failures, engine.base = part["most_failures"], part.get("base", 0)
    node = plan.root.nodes[0]
    assert node.map is not None
    node.map.item.local = part["local"]
    scope = GraphRun(node.map.graph, None, kind="map")
    scope.path = part["node"]
    scope.given = {**part["given"], **{var: literal(items) for var, items in (loaded["items"] or {}).items()}}
    scope.width = part["width"] if node.map.concurrency else 0  # its share of what the map may make at once
    maps.fill(scope, node.map, part["first"], part["count"])
    engine.root = scope
    concurrency_budget.borrow(engine, part["width"])
    return engine


def _tell(shell: WorkflowRunner, told: dict[str, Any]) -> None:
    """What the execution knew when it started this part."""
    shell.engine.answers.update(told["answers"])
    if told["paused"]:
        shell.take(shell.engine.step(PauseRequested(told["paused"]["by"], told["paused"]["reason"]), now()))


async def _restore(shell: WorkflowRunner, engine: Engine, continued: dict[str, Any] | None) -> None:
    """Put the state into the engine: that of the run before, or that in which the execution had ended."""
    if continued is not None:
        count = continued["pages"]
        argument: dict[str, Any] = {"generation": shell.generation}
    else:
        count, argument = shell.resolved["state_pages"], {"closed": True}
    if shell.part is not None:
        argument["part"] = f"{shell.part['name']}/{shell.part['attempt']}"
    state = from_pages(await _pages(shell, activity_calls.LOAD_STATE, count, argument))
    dynamics = await _dynamics(shell, sources(state["rows"]))
    await _breathe(shell, len(state["rows"]))
    snapshot.fill(engine, state, dynamics)
    await _breathe(shell, len(state["rows"]))


async def _breathe(shell: WorkflowRunner, rows: int) -> None:
    """End the activation, where much was done in it: on a busy machine it may not take 2 s, and more is to come."""
    if rows > _MANY_ROWS:
        await shell.uncancelled(activity_calls.pause(0))


async def _dynamics(shell: WorkflowRunner, wanted: list[str]) -> dict[str, Any]:
    """The plans of dynamics, many at a time: an execution may have hundreds."""
    plans: dict[str, Any] = {}
    while wanted:
        argument = {"execution": shell.root, "sources": wanted[:_PLANS_AT_ONCE]}
        summary = f"graphs of {len(argument['sources'])} dynamics"
        answer = await shell.uncancelled(activity_calls.control(activity_calls.DYNAMIC_PLANS, argument, summary=summary))
        plans.update(from_pages(answer["pages"]))
        wanted = wanted[answer["done"] :]
    return plans


async def _plan_pages(shell: WorkflowRunner, continued: dict[str, Any] | None) -> list[str]:
    if continued is None and shell.resolved["plan"] is not None:
        return [shell.resolved["plan"]]
    return await _pages(shell, activity_calls.PLAN_PAGE, shell.resolved["plan_pages"], {"generation": shell.generation})


async def _pages(shell: WorkflowRunner, name: str, count: int, argument: dict[str, Any]) -> list[str]:
    argument = {"execution": shell.root, **argument}
    handles = [activity_calls.control(name, {**argument, "page": page}, summary=f"page {page + 1}") for page in range(count)]
    return [await shell.uncancelled(handle) for handle in handles]
