"""The parts of a large map: child workflows that each make the calls of some hundreds of items.

What a part may run at once it borrows from the execution's limit: see `lending`.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from flytemp.spec.bindings import chunk_items
from flytemp_worker.engine import deadlines
from flytemp_worker.engine.kinds import concurrency_budget
from flytemp_worker.engine.kinds.base import P
from flytemp_worker.engine.messages import CancelChild, ChildClosed, StartChunk
from flytemp_worker.engine.values import close

if TYPE_CHECKING:
    from flytemp_worker.engine.machine import Engine
    from flytemp_worker.engine.messages import SlotsReleased
    from flytemp_worker.engine.nodes import Node

GIVEN_BYTES = 1_024
"""What a part of a map is given besides its items travels inline up to this many bytes, because it does with every call."""

ATTEMPTS_APART = 100
"""Between the first attempts of calls in one attempt of their map and in the next: what they used is not known here."""

Part = dict[str, Any]
"""``phase`` (WAITING, RUNNING or a final one), ``attempt``, ``width`` that it borrowed, ``done`` [succeeded, failed], and
``started`` while it runs and all its calls have started."""


def part_size(engine: Engine, node: Node) -> int:
    """Items of one part: a whole number of groups, where several calls share a start."""
    group: int = node.plan.map.group if node.plan.map is not None else 1
    return max(engine.max_map_items // group, 1) * group


def start(engine: Engine, node: Node) -> None:
    """The lists are split: the parts may run."""
    size, items = part_size(engine, node), node.extra["items"]
    before = [part["attempt"] for part in node.extra.get("parts", ())]  # when the map was tried before
    node.extra["parts"] = [
        {"phase": "WAITING", "attempt": 1 + (before[number] if number < len(before) else 0), "width": 0, "done": [0, 0]}
        for number in range(-(-items // size))
    ]
    for number in range(len(node.extra["parts"])):
        _queue(engine, node, number)
    engine.ledger.note(node)


def run_next(engine: Engine) -> bool:
    """Start the next part of a map that may have one, or let one that runs have more; whether anything was done."""
    for node, waiting in list(engine.ready_parts.items()):
        while waiting and (node.phase is not P.RUNNING or node.extra["parts"][waiting[0]]["phase"] != "WAITING"):
            waiting.popleft()
        if not waiting:
            del engine.ready_parts[node]
        elif _start(engine, node, waiting):
            return True
    return False


def _start(engine: Engine, node: Node, waiting: deque[int]) -> bool:
    width = concurrency_budget.offer(engine, node, calls := _calls(engine, node, waiting[0]))
    if not width:
        return concurrency_budget.lend_more(engine, node)
    number = waiting.popleft()
    part: Part = node.extra["parts"][number]
    part.update(phase="RUNNING", width=width)
    if width == calls:
        part["started"] = True
    engine.lent += width
    engine.emit(_command(engine, node, number))
    engine.ready_parts[node] = engine.ready_parts.pop(node)  # the next turn is another map's
    return True


def _queue(engine: Engine, node: Node, number: int) -> None:
    engine.ready_parts.setdefault(node, deque()).append(number)


def _calls(engine: Engine, node: Node, number: int) -> int:
    """How many calls the part makes: groups, where several items share one."""
    assert node.plan.map is not None
    size = part_size(engine, node)
    items: int = min(size, node.extra["items"] - number * size)
    return -(-items // node.plan.map.group)


def _command(engine: Engine, node: Node, number: int, resumed: bool = False) -> StartChunk:
    plan, part = node.plan.map, node.extra["parts"][number]
    assert plan is not None
    size, items = part_size(engine, node), node.extra["items"]
    first = number * size
    whole = close({var: b for var, b in node.bindings.items() if var not in plan.over}, node.scope, GIVEN_BYTES)
    split = {var: chunk_items(chunk_name(node, number), var) for var in plan.over}
    graph = node.scope.graph
    return StartChunk(
        node.path, chunk_name(node, number), number, part["attempt"], graph.source, graph.name, node.plan.local, first,
        min(size, items - first), part["width"], {**whole, **split}, items - plan.needed(items), resumed,
        (node.attempt - 1) * max(ATTEMPTS_APART, plan.item.retries + 1),
    )  # fmt: skip


def chunk_name(node: Node, number: int) -> str:
    """Where the items of a part lie, below the execution: ``<node path>/<attempt>/<part>``."""
    return f"{node.ref}/{number}"


def manifest(node: Node) -> list[list[Any]]:
    """The parts of the map's outputs, in order: [where it lies, number of items]."""
    return [[f"{chunk_name(node, n)}/{part['attempt']}", sum(part["done"])] for n, part in enumerate(node.extra["parts"])]


def abort(engine: Engine, node: Node) -> None:
    """Stop the parts that run; those that wait never will."""
    if node.phase is not P.RUNNING:
        return
    engine.move(node, P.CANCELLING, "the workflow is stopping")
    running = [number for number, part in enumerate(node.extra["parts"]) if part["phase"] == "RUNNING"]
    for number in running:
        _cancel(engine, node, number)
    if not running:
        _settle(engine, node)


def _cancel(engine: Engine, node: Node, number: int) -> None:
    attempt = node.extra["parts"][number]["attempt"]
    engine.emit(CancelChild(node.path, number, attempt, node.scope.reason or "the map is stopping"))


def resume(engine: Engine, node: Node) -> None:
    for number, part in enumerate(node.extra["parts"]):
        if part["phase"] == "RUNNING":
            engine.lent += part["width"]
            engine.emit(_command(engine, node, number, resumed=True))
            if node.phase is P.CANCELLING:
                _cancel(engine, node, number)
        elif part["phase"] == "WAITING" and node.phase is P.RUNNING:
            _queue(engine, node, number)


def closed(engine: Engine, node: Node, event: ChildClosed) -> None:
    """A part is over. One that went away without a word is started again: what its calls committed stands."""
    part: Part = node.extra["parts"][event.part]
    if event.attempt != part["attempt"] or part["phase"] != "RUNNING":
        return  # it was told twice: by the part, and by Temporal
    engine.lent -= part["width"]
    part["width"] = 0
    part.pop("started", None)
    if event.phase == "LOST" and node.phase is P.RUNNING and part["attempt"] < engine.max_system_tries:
        part.update(phase="WAITING", attempt=part["attempt"] + 1)
        engine.ready_parts.setdefault(node, deque()).appendleft(event.part)
        return
    part.update(phase=event.phase, done=list(event.counts))
    engine.ledger.note(node)
    _judge(engine, node, event)
    if node.phase in (P.RUNNING, P.CANCELLING):
        _settle(engine, node)
    concurrency_budget.lend_more(engine, node)


def on_gave_back(engine: Engine, event: SlotsReleased) -> None:
    """All calls of a part have started, and it needs no more than ``width`` any more."""
    node = engine.known(event.node, "PartGaveBack")
    part: Part = node.extra["parts"][event.part]
    if event.attempt != part["attempt"] or part["phase"] != "RUNNING":
        return  # it is over
    part["started"] = True
    if event.width < part["width"]:
        engine.lent -= part["width"] - event.width
        part["width"] = event.width
    concurrency_budget.lend_more(engine, node)


def _judge(engine: Engine, node: Node, event: ChildClosed) -> None:
    plan = node.plan.map
    assert plan is not None
    failed = sum(part["done"][1] for part in node.extra["parts"])
    items = node.extra["items"]
    fatal = event.phase != "SUCCEEDED" or failed > items - plan.needed(items)
    if node.phase is not P.RUNNING or not fatal or (plan.run_all and event.phase == "SUCCEEDED"):
        return
    message = f"{failed} of {items} calls of the map failed, more than may"
    failure = event.error or {"kind": "USER", "code": "MapFailed", "message": message, "retryable": False}
    where = {"node": node.path, "task": node.plan.target, "attempt": node.attempt}
    node.extra.setdefault("failure", {**where, **failure})
    if plan.run_all and event.phase == "FAILED":
        return  # the other parts run all the same
    node.extra["stops"] = True
    engine.spread(node.scope, node.extra["failure"], f"node {node.path} failed")
    if node.phase is P.RUNNING:
        abort(engine, node)


def _settle(engine: Engine, node: Node) -> None:
    """When no part runs any more, and none will."""
    from flytemp_worker.engine.kinds import maps

    states = [part["phase"] for part in node.extra["parts"]]
    if "RUNNING" in states or (node.phase is P.RUNNING and "WAITING" in states):
        return
    plan, items = node.plan.map, node.extra["items"]
    assert plan is not None
    failed = sum(part["done"][1] for part in node.extra["parts"])
    if "failure" in node.extra:
        node.error = node.extra["failure"]
        engine.fail(node, P.FAILED)
    elif node.phase is P.CANCELLING:
        deadlines.stopped(engine, node)
    elif failed > items - plan.needed(items):
        message = f"{failed} of {items} calls of the map failed, more than may"
        engine.fail_with(node, {"kind": "USER", "code": "MapFailed", "message": message, "retryable": False})
    else:
        maps.store(engine, node)
