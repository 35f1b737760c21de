"""Maps: one call for each item of a list, inline or, where there are many, in parts that are workflows of their own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from flytemp.errors import FlytempError
from flytemp.literals.sizes import INLINE_BYTES, check_lengths, length_of
from flytemp.spec import bindings as form
from flytemp.spec.bindings import Binding, Closed
from flytemp_worker.engine import deadlines
from flytemp_worker.engine.kinds import map_chunks
from flytemp_worker.engine.kinds.base import NodeHandler, P, abort_asking, ask, begin
from flytemp_worker.engine.kinds.workflows import abort_child
from flytemp_worker.engine.messages import Finish
from flytemp_worker.engine.nodes import GraphRun, Node
from flytemp_worker.engine.phases import FINAL
from flytemp_worker.engine.values import BindingResolver, close

if TYPE_CHECKING:
    from flytemp_worker.engine.machine import Engine
    from flytemp_worker.engine.messages import ChildClosed, IOCompleted
    from flytemp_worker.engine.plan import MapPlan

INLINE_OUTPUT_BYTES = 256
"""A call's output up to this long is kept in the manifest of a map itself; above it stands a reference."""


class MapHandler(NodeHandler):
    """First learns how many calls there are, then makes them, then stores what they gave."""

    def start(self, engine: Engine, node: Node) -> None:
        begin(engine, node, "it maps over its lists")
        try:
            lengths, unread = _lengths(node)
            if not unread:
                self._expand(engine, node, check_lengths(lengths))
                return
        except FlytempError as error:
            engine.fail_user(node, error)
            return
        ask(engine, node, "lengths", {"values": unread})

    def told(self, engine: Engine, node: Node, event: IOCompleted) -> None:
        if event.what == "store":
            node.extra["stored"] = True
            engine.finish(node, P.SUCCEEDED, "its calls succeeded")
        elif event.what == "split":
            map_chunks.start(engine, node)
        else:
            try:
                known, _ = _lengths(node)
                self._expand(engine, node, check_lengths({**known, **event.answer["lengths"]}))
            except FlytempError as error:
                engine.fail_user(node, error)

    def _expand(self, engine: Engine, node: Node, count: int) -> None:
        node.extra["items"] = count
        engine.ledger.note(node)
        if count == 0:
            _succeed_inline(engine, node, {name: [] for name in _plan(node).outputs})
        elif count > engine.max_map_items:
            self._ask_split(engine, node)
        else:
            engine.call(inline_scope(node))

    def _ask_split(self, engine: Engine, node: Node) -> None:
        plan = _plan(node)
        values = {var: closed for var, closed in _given(node).items() if var in plan.over}
        size = map_chunks.part_size(engine, node)
        ask(engine, node, "split", {"values": values, "count": node.extra["items"], "size": size})

    def abort(self, engine: Engine, node: Node) -> None:
        if abort_asking(engine, node):
            return
        if "parts" in node.extra:
            map_chunks.abort(engine, node)
        else:
            abort_child(engine, node)

    def resume(self, engine: Engine, node: Node) -> None:
        asked = node.extra.get("asks")
        if asked == "lengths":
            ask(engine, node, asked, {"values": _lengths(node)[1]})
        elif asked == "split":
            self._ask_split(engine, node)
        elif asked == "store":
            store(engine, node)
        elif "parts" in node.extra:
            map_chunks.resume(engine, node)

    def child_closed(self, engine: Engine, node: Node, event: ChildClosed) -> None:
        map_chunks.closed(engine, node, event)

    # ------------------------------------------------------------------------------- the machine's

    def run_part(self, engine: Engine) -> bool:
        """Start a part of a map, if there is room for one; whether anything was done."""
        return map_chunks.run_next(engine)

    def open_items(self, engine: Engine, scope: GraphRun) -> None:
        """Make ready as many calls as may be open at once."""
        bound = scope.width or len(scope.nodes)
        for node in scope.nodes:
            if node.phase is P.READY or (node.phase not in FINAL and node.phase is not P.WAITING):
                bound -= 1
        while bound > 0 and scope.next < len(scope.nodes) and not scope.aborting:
            node = scope.nodes[scope.next]
            scope.next += 1
            if node.phase is P.WAITING:
                bound -= 1
                engine.make_ready(node)

    def item_ended(self, engine: Engine, node: Node) -> None:
        """A call is over: another may start, or so many failed that the map cannot succeed any more."""
        scope = node.scope
        if scope.aborting:
            return
        if node.phase is not P.SUCCEEDED and node.phase is not P.SKIPPED:
            self._item_failed(engine, node)
        if scope.aborting or not scope.width:
            return
        while scope.next < len(scope.nodes):
            following = scope.nodes[scope.next]
            scope.next += 1
            if following.phase is P.WAITING:
                engine.make_ready(following)
                return

    def _item_failed(self, engine: Engine, node: Node) -> None:
        scope = node.scope
        assert scope.map is not None
        failed = counts(scope)[1]
        if failed <= most_failures(engine, scope) or scope.map.run_all:
            return
        scope.error = too_many_failed(scope, failed, node)
        engine.abort(scope, f"node {node.path} failed")
        if scope.parent is not None:
            engine.spread(scope.parent.scope, scope.error, f"node {node.path} failed")

    def close_items(self, engine: Engine, scope: GraphRun) -> None:
        """All calls are over."""
        node = scope.parent
        succeeded, failed = counts(scope)
        assert scope.map is not None
        if scope.error is None and not scope.aborting and failed > most_failures(engine, scope):
            scope.error = too_many_failed(scope, failed, _first_failed(scope))  # it was to run all first
        if node is None:
            _finish_part(engine, scope, (succeeded, failed))
        elif scope.error is not None:
            node.error = scope.error
            engine.fail(node, P.FAILED)
        elif scope.aborting:
            deadlines.stopped(engine, node)
        else:
            _collect(engine, node, scope)


# ------------------------------------------------------------------------------------------- calls


def inline_scope(node: Node) -> GraphRun:
    """The scope of all calls of a map."""
    plan = _plan(node)
    scope = GraphRun(plan.graph, node, kind="map")
    scope.width = plan.concurrency
    fill(scope, plan, 0, node.extra["items"])
    node.child = scope
    return scope


def fill(scope: GraphRun, plan: MapPlan, first: int, count: int) -> None:
    """The nodes of ``count`` calls from item ``first`` on, or of the groups of several that share a start."""
    scope.map, scope.first = plan, first
    if plan.group == 1:
        scope.nodes = [Node(plan.item, scope, str(index), index) for index in range(first, first + count)]
    else:
        starts = range(first, first + count, plan.group)
        scope.nodes = [Node(plan.item, scope, f"g{index // plan.group}", index) for index in starts]
        for node in scope.nodes:
            assert node.index is not None
            node.extra["size"] = min(plan.group, first + count - node.index)
    scope.open = len(scope.nodes)


def items_of(node: Node) -> list[dict[str, Binding]]:
    """The bindings of each call of a group."""
    plan = node.scope.map
    assert plan is not None
    assert node.index is not None
    position = node.index - node.scope.first
    return [
        {var: form.graph_input(var, [position + offset] if var in plan.over else None) for var in plan.inputs}
        for offset in range(node.extra["size"])
    ]


def counts(scope: GraphRun) -> tuple[int, int]:
    """The calls that succeeded, and those that failed or were stopped."""
    succeeded = failed = 0
    for node in scope.nodes:
        size = node.extra.get("size", 1)
        if node.phase is P.SUCCEEDED:
            succeeded += size
        elif node.phase in FINAL and node.phase is not P.SKIPPED:
            bad = len(node.error["failed_items"]) if node.error and "failed_items" in node.error else size
            succeeded, failed = succeeded + size - bad, failed + bad
    return succeeded, failed


def most_failures(engine: Engine, scope: GraphRun) -> int:
    """How many calls may fail without the map, or this part of it, failing."""
    if scope.parent is None:
        return engine.most_failures
    assert scope.map is not None
    total: int = scope.parent.extra["items"]
    return total - scope.map.needed(total)


def too_many_failed(scope: GraphRun, failed: int, node: Node) -> dict[str, Any]:
    """The map's error: that of the call that was one too many."""
    assert node.error is not None or node.phase is P.ABORTED
    error = node.error or {"kind": "SYSTEM", "code": "Stopped", "message": "stopped", "node": node.path}
    error = {key: value for key, value in error.items() if key != "failed_items"}
    if failed > 1:
        error["message"] = f"{failed} calls of the map failed, more than may; the last: {error['message']}"
    return {**error, "retryable": False}


def _first_failed(scope: GraphRun) -> Node:
    return next(node for node in scope.nodes if node.phase in (P.FAILED, P.TIMED_OUT, P.ABORTED))


# ----------------------------------------------------------------------------------------- outputs


def _collect(engine: Engine, node: Node, scope: GraphRun) -> None:
    """The outputs of all calls: inline while they are small together, else as a manifest in the store."""
    outputs = closed_outputs(scope)
    literal = {name: [value[form.LITERAL] for value in values if form.LITERAL in value] for name, values in outputs.items()}
    whole = all(len(literal[name]) == len(values) for name, values in outputs.items())
    if whole and _length(literal) <= INLINE_BYTES:
        _succeed_inline(engine, node, literal)
    else:
        store(engine, node)


def store(engine: Engine, node: Node) -> None:
    if node.child is not None:
        ask(engine, node, "store", {"outputs": closed_outputs(node.child)})
    else:
        ask(engine, node, "store", {"outputs": dict.fromkeys(_plan(node).outputs), "chunks": map_chunks.manifest(node)})


def _succeed_inline(engine: Engine, node: Node, outputs: dict[str, list[Any]]) -> None:
    node.outputs, node.size = outputs, _length(outputs)
    engine.finish(node, P.SUCCEEDED, "its calls succeeded")


def closed_outputs(scope: GraphRun) -> dict[str, list[Closed]]:
    """The closed values of what the calls gave, null for those that failed."""
    assert scope.map is not None
    outputs: dict[str, list[Closed]] = {}
    for name in scope.map.outputs:
        values: list[Closed] = []
        for node in scope.nodes:
            values += _group_outputs(node, name) if "size" in node.extra else [_output(node, name)]
        outputs[name] = values
    return outputs


def _output(node: Node, name: str) -> Closed:
    if node.phase is not P.SUCCEEDED:
        return form.literal(None)
    binding, scope = (form.node_output(0, name), _Around(node))
    resolver = BindingResolver()
    closed = resolver.resolve(binding, scope)
    return closed if resolver.size <= INLINE_OUTPUT_BYTES else BindingResolver(by_reference=True).resolve(binding, scope)


def _group_outputs(node: Node, name: str) -> list[Closed]:
    size = node.extra["size"]
    if node.phase is P.SUCCEEDED and node.outputs is not None and node.size <= INLINE_OUTPUT_BYTES:
        return [form.literal(value) for value in node.outputs[name]]
    failed = set(range(size))
    if node.phase is P.SUCCEEDED:
        failed = set()
    elif node.error and "failed_items" in node.error:
        failed = set(node.error["failed_items"])
    return [form.literal(None) if item in failed else form.result(node.ref, name, [item]) for item in range(size)]


class _Around(GraphRun):
    """A scope in which the call is the only node, so that its output can be named by a binding."""

    def __init__(self, node: Node) -> None:
        self.nodes = [node]
        self.kind = "graph"


def _finish_part(engine: Engine, scope: GraphRun, done: tuple[int, int]) -> None:
    engine.finished = True
    if engine.cancelled is not None:
        engine.emit(Finish("ABORTED", reason=engine.cancelled, error=scope.error, counts=done))
    elif scope.error is not None:
        engine.emit(Finish("FAILED", error=scope.error, counts=done))
    else:
        outputs = {name: form.items_of(values) for name, values in closed_outputs(scope).items()}
        engine.emit(Finish("SUCCEEDED", outputs=outputs, counts=done))


# ----------------------------------------------------------------------------------------- lengths


def _plan(node: Node) -> MapPlan:
    assert node.plan.map is not None
    return node.plan.map


def _given(node: Node) -> dict[str, Closed]:
    return close(node.bindings, node.scope, map_chunks.GIVEN_BYTES)


def _lengths(node: Node) -> tuple[dict[str, int], dict[str, Closed]]:
    """The lengths of the lists that are inline, and the others."""
    lengths: dict[str, int] = {}
    unread: dict[str, Closed] = {}
    closed = close({var: node.bindings[var] for var in _plan(node).over}, node.scope)
    for var, value in closed.items():
        if form.LITERAL in value:
            lengths[var] = length_of(var, value[form.LITERAL])
        elif form.ITEMS in value:
            lengths[var] = len(value[form.ITEMS])
        else:
            unread[var] = value
    return lengths, unread


def _length(value: Any) -> int:
    return len(json.dumps(value, separators=(",", ":")))
