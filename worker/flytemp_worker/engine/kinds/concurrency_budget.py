"""What the parts of large maps may run at once: they borrow it from their execution's limit, and give it back.

All parts together may borrow seven eighths of the limit, so that other nodes are never shut out. Of a map over a task, one
part at a time has calls left to start. It borrows what there is, more when more comes free, and gives back what its open
calls do not need once all have started: then the next part begins. So a window of one width slides over the items, and
each workflow task hears of many completions. (A workflow task costs Temporal more than a completion does: eight parts
side by side made a call of an empty task half as dear again.)

Calls that are workflows, launch plans or dynamics need their place again later, after a gate for instance. Of such maps
some parts run side by side, each with an equal share, and give it back when they are over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flytemp_worker.engine.kinds.base import P
from flytemp_worker.engine.messages import IncreaseAllocation, ReleaseSlots

if TYPE_CHECKING:
    from flytemp_worker.engine.machine import Engine
    from flytemp_worker.engine.messages import AllocationIncreased
    from flytemp_worker.engine.nodes import Node
    from flytemp_worker.engine.plan import MapPlan

AT_ONCE = 8
"""Parts that run side by side, of a map over workflows."""

LOTS = 8
"""What a part borrowed is given back, and more of it lent, in no more pieces than about this: each is a signal."""


# ------------------------------------------------------------------------------------ the execution


def offer(engine: Engine, node: Node, calls: int) -> int:
    """What the next part, of so many calls, may borrow to begin with; 0 when it has to wait."""
    if slides(_plan(node)) and _filling(node) is not None:
        return 0
    return max(0, min(_share(engine, node), _free(engine, node), calls))


def lend_more(engine: Engine, node: Node) -> bool:
    """Lend the part that has calls left to start what has come free; whether there was enough to be worth a word."""
    number = _filling(node) if slides(_plan(node)) else None
    if number is None or node.phase is not P.RUNNING:
        return False
    part, share = node.extra["parts"][number], _share(engine, node)
    more = min(share - part["width"], _free(engine, node))
    if more < max(1, share // LOTS):
        return False
    part["width"] += more
    engine.lent += more
    engine.emit(IncreaseAllocation(node.path, number, part["attempt"], part["width"]))
    return True


def slides(plan: MapPlan) -> bool:
    """Whether one part at a time has calls left to start."""
    return plan.item.kind == "task"


def _filling(node: Node) -> int | None:
    """The part that runs and may have calls left to start."""
    found = (n for n, part in enumerate(node.extra["parts"]) if part["phase"] == "RUNNING" and not part.get("started"))
    return next(found, None)


def _share(engine: Engine, node: Node) -> int:
    """The most that one part of the map borrows."""
    plan, whole = _plan(node), _lendable(engine)
    if slides(plan):
        share = whole // max(1, len(engine.ready_parts))
        return max(1, min(share, plan.concurrency or share))
    share = whole // AT_ONCE
    return max(1, min(share, -(-plan.concurrency // AT_ONCE) if plan.concurrency else share))


def _free(engine: Engine, node: Node) -> int:
    free = min(_lendable(engine) - engine.lent, engine.limit - engine.running - engine.lent)
    concurrency = _plan(node).concurrency
    return min(free, concurrency - sum(part["width"] for part in node.extra["parts"])) if concurrency else free


def _lendable(engine: Engine) -> int:
    return max(1, engine.limit - engine.limit // 8)


def _plan(node: Node) -> MapPlan:
    assert node.plan.map is not None
    return node.plan.map


# ----------------------------------------------------------------------------------------- the part


def borrow(engine: Engine, width: int) -> None:
    """The engine is that of a part, and has borrowed so much."""
    assert engine.root.map is not None
    if slides(engine.root.map):
        engine.borrowed = width
        engine.lot = max(1, width // LOTS)


def give_back(engine: Engine) -> None:
    """Of what was borrowed, that which the calls that are open do not need, when all have started."""
    scope = engine.root
    if engine.ready or scope.next < len(scope.nodes) or scope.aborting or not scope.open:
        return
    if engine.borrowed - scope.open >= engine.lot:
        engine.borrowed = engine.limit = scope.open
        engine.emit(ReleaseSlots(scope.open))


def on_more_lent(engine: Engine, event: AllocationIncreased) -> None:
    """The execution lends more: more calls may be open."""
    from flytemp_worker.engine.kinds import MAP

    scope = engine.root
    if engine.finished or not engine.borrowed:
        return
    borrow(engine, event.width)
    engine.limit = min(event.width, engine.max_in_flight)
    if scope.width:
        scope.width = event.width
        MAP.open_items(engine, scope)
