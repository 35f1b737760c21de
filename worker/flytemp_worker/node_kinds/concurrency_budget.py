"""Concurrency of the chunks of large maps: slots of the execution's limit are allocated to them, and released.

All chunks together may have seven eighths of the limit, so that other nodes can always run.

Of a map over a task, one chunk at a time has calls left to start. It is allocated all free slots, and more as slots become
free; when all its calls have started, it releases the slots that they do not need, and the next chunk starts. Few chunks
run at once, because a workflow task costs Temporal more than an activity completion: eight chunks at once raised the cost of
an empty call by half.

Calls that are workflows, launch plans or dynamics need their slots again later, for instance after a gate. Of such maps
several chunks run at once, each with an equal share until it ends.
"""

from __future__ import annotations

from flytemp_worker.engine.handlers import P
from flytemp_worker.engine.machine import Engine
from flytemp_worker.engine.messages import AllocationIncreased, IncreaseAllocation, ReleaseSlots
from flytemp_worker.engine.nodes import Node
from flytemp_worker.engine.plan import MapPlan
from flytemp_worker.node_kinds.map_state import MapRun, plan_of, state_of

CHUNKS_AT_ONCE = 8
"""Chunks that run at once, of a map over workflows."""

STEPS = 8
"""An allocation is increased or released in about this many steps at most, because each is a signal."""


# ------------------------------------------------------------------------------------ the execution


def grant(engine: Engine, node: Node, calls: int) -> int:
    """Return the slots that the next chunk gets to begin with; 0 if it has to wait."""
    if is_sliding(plan_of(node)) and _filling(node) is not None:
        return 0
    return max(0, min(_share(engine, node), _free(engine, node), calls))


def increase(engine: Engine, node: Node) -> bool:
    """Allocate free slots to the chunk that has calls left to start; return False if too few for a signal are free."""
    number = _filling(node) if is_sliding(plan_of(node)) else None
    if number is None or node.phase is not P.RUNNING:
        return False
    chunk, share = state_of(node).chunks[number], _share(engine, node)
    more = min(share - chunk.width, _free(engine, node))
    if more < max(1, share // STEPS):
        return False
    chunk.width += more
    engine.capacity.allocated += more
    engine.emit(IncreaseAllocation(node.path, number, chunk.attempt, chunk.width))
    return True


def is_sliding(plan: MapPlan) -> bool:
    """Return True if one chunk at a time has calls left to start."""
    return plan.item.kind == "task"


def _filling(node: Node) -> int | None:
    """Return the running chunk that may have calls left to start."""
    chunks = state_of(node).chunks
    return next((number for number, chunk in enumerate(chunks) if chunk.phase == "RUNNING" and not chunk.all_started), None)


def _share(engine: Engine, node: Node) -> int:
    """Return the most slots that one chunk of the map gets."""
    concurrency, total = plan_of(node).concurrency, _allocatable(engine)
    if is_sliding(plan_of(node)):
        share, own = total // max(1, len(engine.capacity.chunks)), concurrency
    else:
        share, own = total // CHUNKS_AT_ONCE, -(-concurrency // CHUNKS_AT_ONCE)
    return max(1, min(share, own) if concurrency else share)


def _free(engine: Engine, node: Node) -> int:
    capacity, concurrency = engine.capacity, plan_of(node).concurrency
    free = min(_allocatable(engine) - capacity.allocated, capacity.limit - capacity.used)
    return min(free, concurrency - sum(chunk.width for chunk in state_of(node).chunks)) if concurrency else free


def _allocatable(engine: Engine) -> int:
    return max(1, engine.capacity.limit - engine.capacity.limit // 8)


# ---------------------------------------------------------------------------------------- the chunk


def allocate(engine: Engine, scope: MapRun, width: int) -> None:
    """Set the allocation of the chunk that the engine runs, if it may change later."""
    assert engine.chunk is not None
    if is_sliding(scope.plan):
        engine.chunk.allocation = width
        engine.chunk.share = max(1, width // STEPS)


def release(engine: Engine, scope: MapRun) -> None:
    """Release the slots that the open calls do not need, once all calls have started."""
    chunk = engine.chunk
    if chunk is None or not chunk.allocation:
        return
    if engine.capacity.tasks or scope.next_item < len(scope.nodes) or scope.aborting or not scope.open:
        return
    if chunk.allocation - scope.open >= chunk.share:
        chunk.allocation = engine.capacity.limit = scope.open
        engine.emit(ReleaseSlots(scope.open))


def on_increased(engine: Engine, event: AllocationIncreased) -> None:
    """Start more calls with the slots that the execution has allocated."""
    scope = engine.root
    if engine.finished or engine.chunk is None or not engine.chunk.allocation:
        return
    assert isinstance(scope, MapRun)
    allocate(engine, scope, event.width)
    engine.capacity.limit = engine.capacity.within_platform(event.width)
    if scope.width:
        scope.width = event.width
        scope.opener.on_opened(engine, scope)
