"""The chunks of a large map: child workflows that each make the calls of some hundreds of items.

`concurrency_budget` decides how many calls a chunk may have open at once.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from flytemp.spec.bindings import Closed, chunk_items
from flytemp_worker.engine.capacity import ChunkRole, Limits
from flytemp_worker.engine.errors import Error, make_error
from flytemp_worker.engine.handlers import P, Registry
from flytemp_worker.engine.machine import Engine
from flytemp_worker.engine.messages import CancelChild, ChildClosed, SlotsReleased, StartChunk
from flytemp_worker.engine.nodes import Node
from flytemp_worker.engine.plan import Plan
from flytemp_worker.engine.values import close
from flytemp_worker.node_kinds import concurrency_budget
from flytemp_worker.node_kinds.map_state import Chunk, MapRun, items_of, plan_of, state_of

GIVEN_BYTES = 1_024
"""Inputs of a chunk other than its items are inline up to this many bytes, because every call repeats them."""

ATTEMPTS_APART = 100
"""Distance between the attempt numbers of chunks and calls in one attempt of their map and in the next."""


def chunk_engine(
    plan: Plan, registry: Registry, limits: Limits, chunk: ChunkRole, *, path: str, local: str, first: int, count: int,
    given: dict[str, Closed],
) -> Engine:  # fmt: skip
    """Return the engine that runs one chunk, with ``limits.max_parallelism`` as its allocation.

    Args:
        plan: that of `flytemp.spec.plan.chunk_plan_of`.
        path, local, first, count: as in `StartChunk`, where the path is that of the map's node.
        given: closed values of the map's inputs; lists that it maps over begin with the chunk's first item.
    """
    map_plan = plan.root.nodes[0].map
    assert map_plan is not None
    map_plan.item.local = local
    plan.structured = True
    engine = Engine(plan, None, registry, limits, chunk)
    width = limits.max_parallelism if map_plan.concurrency else 0
    scope = MapRun(map_plan, None, registry.handlers, count, first=first, width=width, path=path)
    scope.given = given
    engine.root = scope
    concurrency_budget.allocate(engine, scope, limits.max_parallelism)
    return engine


# ------------------------------------------------------------------------------------ the execution


def chunk_size(engine: Engine, node: Node) -> int:
    """Return the number of items of a chunk: a whole number of groups."""
    group = plan_of(node).group
    return max(engine.limits.max_map_items // group, 1) * group


def start(engine: Engine, node: Node) -> None:
    """Queue all chunks, because the lists have been split."""
    count = -(-items_of(node) // chunk_size(engine, node))
    state_of(node).chunks = [Chunk(_first_attempt(node)) for _ in range(count)]
    engine.capacity.chunks[node] = deque(range(count))
    engine.log.note(node)


def start_queued(engine: Engine) -> bool:
    """Start the next chunk of any map, or let one that runs have more slots; return False if neither was possible."""
    queues = engine.capacity.chunks
    for node, waiting in list(queues.items()) if queues else ():
        while waiting and (node.phase is not P.RUNNING or state_of(node).chunks[waiting[0]].phase != "WAITING"):
            waiting.popleft()
        if not waiting:
            del queues[node]
        elif _start_next(engine, node, waiting):
            return True
    return False


def _start_next(engine: Engine, node: Node, waiting: deque[int]) -> bool:
    calls = -(-_count(engine, node, waiting[0]) // plan_of(node).group)
    width = concurrency_budget.grant(engine, node, calls)
    if not width:
        return concurrency_budget.increase(engine, node)
    number = waiting.popleft()
    chunk = state_of(node).chunks[number]
    chunk.phase, chunk.width, chunk.all_started = "RUNNING", width, width == calls
    engine.capacity.allocated += width
    engine.emit(_command(engine, node, number))
    engine.capacity.chunks[node] = engine.capacity.chunks.pop(node)  # the next turn is another map's
    return True


def _count(engine: Engine, node: Node, number: int) -> int:
    """Return the number of items of a chunk."""
    size = chunk_size(engine, node)
    return min(size, items_of(node) - number * size)


def _first_attempt(node: Node) -> int:
    return (node.attempt - 1) * ATTEMPTS_APART + 1


def _command(engine: Engine, node: Node, number: int, *, resumed: bool = False) -> StartChunk:
    plan, chunk, graph = plan_of(node), state_of(node).chunks[number], node.scope.graph
    name = chunk_name(node, number)
    shared = close({var: b for var, b in node.bindings.items() if var not in plan.over}, node.scope, GIVEN_BYTES)
    return StartChunk(
        node.path, name, number, chunk.attempt, graph.source, graph.name, node.plan.local, number * chunk_size(engine, node),
        _count(engine, node, number), chunk.width, {**shared, **{var: chunk_items(name, var) for var in plan.over}},
        plan.max_failures(items_of(node)), resumed, (node.attempt - 1) * max(ATTEMPTS_APART, plan.item.retries + 1),
    )  # fmt: skip


def chunk_name(node: Node, number: int) -> str:
    """Return the key of a chunk's items in the store, below the execution: ``<node path>/<attempt>/<chunk>``."""
    return f"{node.ref}/{number}"


def manifest(node: Node) -> list[list[Any]]:
    """Return the key and the number of items of each chunk's outputs, in order."""
    chunks = enumerate(state_of(node).chunks)
    return [[f"{chunk_name(node, number)}/{chunk.attempt}", chunk.succeeded + chunk.failed] for number, chunk in chunks]


def abort(engine: Engine, node: Node) -> None:
    """Stop the chunks that run; those that wait never start."""
    if node.phase is not P.RUNNING:
        return
    engine.move(node, P.CANCELLING, "the workflow is stopping")
    running = [number for number, chunk in enumerate(state_of(node).chunks) if chunk.phase == "RUNNING"]
    for number in running:
        _cancel(engine, node, number)
    if not running:
        _end_if_done(engine, node)


def _cancel(engine: Engine, node: Node, number: int) -> None:
    attempt = state_of(node).chunks[number].attempt
    engine.emit(CancelChild(node.path, number, attempt, node.scope.reason or "the map is stopping"))


def resume(engine: Engine, node: Node) -> None:
    for number, chunk in enumerate(state_of(node).chunks):
        if chunk.phase == "RUNNING":
            engine.capacity.allocated += chunk.width
            engine.emit(_command(engine, node, number, resumed=True))
            if node.phase is P.CANCELLING:
                _cancel(engine, node, number)
        elif chunk.phase == "WAITING" and node.phase is P.RUNNING:
            engine.capacity.chunks.setdefault(node, deque()).append(number)


# ------------------------------------------------------------------------------------------- events


def on_closed(engine: Engine, node: Node, event: ChildClosed) -> None:
    """Handle the end of a chunk. A lost one is started again; the results that its calls committed are kept."""
    chunk = state_of(node).chunks[event.chunk]
    engine.capacity.allocated -= chunk.width
    chunk.width, chunk.all_started = 0, False
    lost = chunk.attempt - _first_attempt(node) + 1
    if event.phase == "LOST" and node.phase is P.RUNNING and lost < engine.limits.max_system_tries:
        chunk.phase, chunk.attempt = "WAITING", chunk.attempt + 1
        engine.capacity.chunks.setdefault(node, deque()).appendleft(event.chunk)
        return
    chunk.phase, (chunk.succeeded, chunk.failed) = event.phase, event.counts
    engine.log.note(node)
    _judge(engine, node, event)
    if node.phase in (P.RUNNING, P.CANCELLING):
        _end_if_done(engine, node)
    concurrency_budget.increase(engine, node)


def on_slots_released(engine: Engine, node: Node, event: SlotsReleased) -> None:
    """Handle that all calls of a chunk have started."""
    chunk = state_of(node).chunks[event.chunk]
    chunk.all_started = True
    if event.width < chunk.width:
        engine.capacity.allocated -= chunk.width - event.width
        chunk.width = event.width
    concurrency_budget.increase(engine, node)


def expects(engine: Engine, node: Node, event: ChildClosed | SlotsReleased) -> bool:
    """Return True if the chunk of an event runs, in that attempt, and can have as many calls as the event says."""
    chunks = state_of(node).chunks
    if not 0 <= event.chunk < len(chunks):
        return False
    chunk = chunks[event.chunk]
    if (chunk.attempt, chunk.phase) != (event.attempt, "RUNNING"):
        return False
    if isinstance(event, SlotsReleased):
        return event.width >= 0
    return min(event.counts) >= 0 and sum(event.counts) <= _count(engine, node, event.chunk)


def _judge(engine: Engine, node: Node, event: ChildClosed) -> None:
    """Fail the map if the chunk that ended makes its success impossible."""
    plan, state = plan_of(node), state_of(node)
    is_fatal = event.phase != "SUCCEEDED" or state.failed > plan.max_failures(items_of(node))
    if node.phase is not P.RUNNING or not is_fatal or (plan.run_all and event.phase == "SUCCEEDED"):
        return
    if state.failure is None:
        where: Error = {**_map_failed(node), "node": node.path, "task": node.plan.target, "attempt": node.attempt}
        state.failure = {**where, **event.error} if event.error is not None else where
    if plan.run_all and event.phase == "FAILED":
        return  # the other chunks run all the same
    state.stops = True
    engine.propagate_failure(node.scope, state.failure, f"node {node.path} failed")
    if node.phase is P.RUNNING:
        abort(engine, node)


def _end_if_done(engine: Engine, node: Node) -> None:
    """End the map when no chunk runs, and none will."""
    state = state_of(node)
    phases = {chunk.phase for chunk in state.chunks}
    if "RUNNING" in phases or (node.phase is P.RUNNING and "WAITING" in phases):
        return
    if state.failure is not None:
        state.error = state.failure
        engine.fail(node, P.FAILED)
    elif node.phase is P.CANCELLING:
        engine.on_stopped(node)
    elif state.failed > plan_of(node).max_failures(items_of(node)):
        engine.fail_with(node, _map_failed(node))
    else:
        engine.request(node, "store")


def _map_failed(node: Node) -> Error:
    items = items_of(node)
    allowed = plan_of(node).max_failures(items)
    return make_error("MapFailed", f"{state_of(node).failed} of {items} map items failed; {allowed} may fail")
