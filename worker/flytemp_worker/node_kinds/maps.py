"""Maps: one call for each item of a list, inline or, if there are many, in chunks that are workflows of their own."""

from __future__ import annotations

import json
from typing import Any

from flytemp.errors import FlytempError
from flytemp.literals.sizes import INLINE_BYTES, check_lengths, length_of
from flytemp.spec import bindings as form
from flytemp.spec.bindings import Closed
from flytemp_worker.engine.errors import Error, make_error
from flytemp_worker.engine.handlers import NodeHandler, P
from flytemp_worker.engine.machine import Engine
from flytemp_worker.engine.messages import ChildClosed, IOCompleted, SlotsReleased
from flytemp_worker.engine.nodes import GraphRun, Node
from flytemp_worker.engine.phases import FAILED
from flytemp_worker.engine.values import BindingResolver, close
from flytemp_worker.node_kinds import concurrency_budget, map_chunks
from flytemp_worker.node_kinds.map_state import MapAttempt, MapRun, failed_items, items_of, plan_of, state_of

INLINE_OUTPUT_BYTES = 256
"""An output of a call is kept in the map's manifest itself up to this many bytes; a larger one by reference."""


class MapHandler(NodeHandler):
    """Finds the number of calls, makes them, and stores their outputs."""

    attempt = MapAttempt
    counts_failures = True
    is_named_by_plan = False

    def start(self, engine: Engine, node: Node) -> None:
        engine.begin_attempt(node)
        engine.move(node, P.RUNNING, "it maps over its lists")
        try:
            lengths, stored = _lengths(node)
            count = None if stored else check_lengths(lengths)
        except FlytempError as error:
            engine.fail_user(node, error)
            return
        if count is None:
            engine.request(node, "lengths")
        else:
            self._expand(engine, node, count)

    def forget(self, engine: Engine, node: Node) -> None:
        engine.capacity.chunks.pop(node, None)

    def io_argument(self, engine: Engine, node: Node, operation: str) -> dict[str, Any]:
        plan = plan_of(node)
        if operation == "lengths":
            return {"values": _lengths(node)[1]}
        if operation == "split":
            values = close(node.bindings, node.scope, map_chunks.GIVEN_BYTES)
            lists = {var: values[var] for var in values if var in plan.over}
            return {"values": lists, "count": items_of(node), "size": map_chunks.chunk_size(engine, node)}
        if node.child is not None:
            return {"outputs": _closed_outputs(_run(node.child))}
        return {"outputs": dict.fromkeys(plan.outputs), "chunks": map_chunks.manifest(node)}

    def on_io(self, engine: Engine, node: Node, event: IOCompleted) -> None:
        if event.operation == "store":
            state_of(node).stored = True
            engine.finish(node, P.SUCCEEDED, "its calls succeeded")
        elif event.operation == "split":
            map_chunks.start(engine, node)
        else:
            try:
                count = check_lengths({**_lengths(node)[0], **event.answer["lengths"]})
            except FlytempError as error:
                engine.fail_user(node, error)
            else:
                self._expand(engine, node, count)

    def _expand(self, engine: Engine, node: Node, count: int) -> None:
        state_of(node).items = count
        engine.log.note(node)
        if count == 0:
            self._succeed(engine, node, {name: [] for name in plan_of(node).outputs})
        elif count > engine.limits.max_map_items:
            engine.request(node, "split")
        else:
            node.child = self.restore_child(engine, node)
            assert node.child is not None
            engine.open_scope(node.child)

    def restore_child(self, engine: Engine, node: Node) -> GraphRun | None:
        plan, items = plan_of(node), state_of(node).items or 0
        if not 0 < items <= engine.limits.max_map_items:
            return None
        return MapRun(plan, node, node.scope.handlers, items, width=plan.concurrency)

    def _succeed(self, engine: Engine, node: Node, outputs: dict[str, list[Any]]) -> None:
        node.state.outputs, node.state.size = outputs, _size(outputs)
        engine.finish(node, P.SUCCEEDED, "its calls succeeded")

    def public_fields(self, node: Node) -> dict[str, Any]:
        return {"counts": list(node.child.counts())} if isinstance(node.child, MapRun) else {}

    # --------------------------------------------------------------------------------------- chunks

    def abort(self, engine: Engine, node: Node) -> None:
        if state_of(node).chunks and node.state.asks is None:
            map_chunks.abort(engine, node)
        else:
            super().abort(engine, node)

    def resume(self, engine: Engine, node: Node) -> None:
        if state_of(node).chunks and node.state.asks is None:
            map_chunks.resume(engine, node)
        else:
            super().resume(engine, node)

    def expects(self, engine: Engine, node: Node, event: ChildClosed | SlotsReleased) -> bool:
        return map_chunks.expects(engine, node, event)

    def on_child_closed(self, engine: Engine, node: Node, event: ChildClosed) -> None:
        map_chunks.on_closed(engine, node, event)

    def on_slots_released(self, engine: Engine, node: Node, event: SlotsReleased) -> None:
        map_chunks.on_slots_released(engine, node, event)

    def on_idle(self, engine: Engine) -> None:
        concurrency_budget.release(engine, _run(engine.root))

    # ---------------------------------------------------------------------------------------- calls

    def on_opened(self, engine: Engine, scope: GraphRun) -> None:
        """Start as many calls as may be open at once."""
        run = _run(scope)
        free = run.free_calls()
        run.excess = max(0, -free)
        self._open_next(engine, run, free)

    def _open_next(self, engine: Engine, run: MapRun, count: int) -> None:
        while count > 0 and run.next_item < len(run.nodes) and not run.aborting:
            node = run.nodes[run.next_item]
            run.next_item += 1
            if node.phase is P.WAITING:
                count -= 1
                engine.make_ready(node)

    def on_node_ended(self, engine: Engine, scope: GraphRun, node: Node) -> None:
        """Start the next call, unless too many have failed."""
        run = _run(scope)
        if run.aborting:
            return
        if node.phase is not P.SUCCEEDED and node.phase is not P.SKIPPED:
            self._on_call_failed(engine, run, node)
        if run.excess:
            run.excess -= 1
        elif run.width:
            self._open_next(engine, run, 1)

    def _on_call_failed(self, engine: Engine, run: MapRun, node: Node) -> None:
        error = None if run.plan.run_all else self._too_many_failed(engine, run, node)
        if error is None:
            return
        run.error = error
        engine.abort(run, f"node {node.path} failed")
        if run.parent is not None:
            engine.propagate_failure(run.parent.scope, error, f"node {node.path} failed")

    def _too_many_failed(self, engine: Engine, run: MapRun, node: Node) -> Error | None:
        """Return the map's error if more calls have failed than may; ``node`` is the failed call that it is taken from."""
        failed = run.counts()[1]
        allowed = engine.chunk.max_failures if run.parent is None and engine.chunk else run.plan.max_failures(run.count)
        if failed <= allowed:
            return None
        error: Error = {**(node.state.error or {**make_error("Stopped", "stopped"), "node": node.path}), "retryable": False}
        error.pop("failed_items", None)
        if failed > 1:
            error["message"] = f"{failed} map items failed, and {allowed} may fail; the last error: {error['message']}"
        return error

    def remaining_error(self, engine: Engine, scope: GraphRun) -> Error | None:
        run = _run(scope)
        first = next((node for node in run.nodes if node.phase in FAILED), None)
        return None if first is None else self._too_many_failed(engine, run, first)

    def on_closed(self, engine: Engine, scope: GraphRun) -> None:
        run, node = _run(scope), scope.parent
        if run.error is None and not run.aborting:  # all calls were to run, even if too many fail
            ended = (call for call in run.nodes if call.phase in (*FAILED, P.ABORTED))
            run.error = next((self._too_many_failed(engine, run, call) for call in ended), None)
        if node is None:
            engine.finish_execution(
                lambda: {name: form.items_of(values) for name, values in _closed_outputs(run).items()}, run.counts()
            )
        elif run.error is not None or run.aborting:
            super().on_closed(engine, run)
        else:
            self._collect(engine, node, run)

    def _collect(self, engine: Engine, node: Node, run: MapRun) -> None:
        """Take the outputs of all calls: inline while they are small together, else as a manifest in the store."""
        closed = _closed_outputs(run)
        literals = {name: [value[form.LITERAL] for value in values if form.LITERAL in value] for name, values in closed.items()}
        are_inline = all(len(literals[name]) == len(values) for name, values in closed.items())
        if are_inline and _size(literals) <= INLINE_BYTES:
            self._succeed(engine, node, literals)
        else:
            engine.request(node, "store")


# ------------------------------------------------------------------------------------------- values


def _run(scope: GraphRun) -> MapRun:
    assert isinstance(scope, MapRun)
    return scope


def _lengths(node: Node) -> tuple[dict[str, int], dict[str, Closed]]:
    """Return the lengths of the lists that are inline, and the closed values of the others."""
    lengths: dict[str, int] = {}
    stored: dict[str, Closed] = {}
    for var, value in close({var: node.bindings[var] for var in plan_of(node).over}, node.scope).items():
        if form.LITERAL in value:
            lengths[var] = length_of(var, value[form.LITERAL])
        elif form.ITEMS in value:
            lengths[var] = len(value[form.ITEMS])
        else:
            stored[var] = value
    return lengths, stored


def _closed_outputs(run: MapRun) -> dict[str, list[Closed]]:
    """Return the closed values of all calls' outputs; null for calls that failed."""
    output_of = _output if run.plan.group == 1 else _group_outputs
    return {name: [value for node in run.nodes for value in output_of(node, name)] for name in run.plan.outputs}


def _output(node: Node, name: str) -> list[Closed]:
    if node.phase is not P.SUCCEEDED:
        return [form.literal(None)]
    resolver = BindingResolver()
    closed = resolver.output(node, name)
    return [closed if resolver.size <= INLINE_OUTPUT_BYTES else BindingResolver(by_reference=True).output(node, name)]


def _group_outputs(node: Node, name: str) -> list[Closed]:
    state, failed = node.state, failed_items(node)
    if not failed and state.outputs is not None and state.size <= INLINE_OUTPUT_BYTES:
        return [form.literal(value) for value in state.outputs[name]]
    return [form.literal(None) if item in failed else form.result(node.ref, name, [item]) for item in range(node.calls)]


def _size(value: Any) -> int:
    return len(json.dumps(value, separators=(",", ":")))
