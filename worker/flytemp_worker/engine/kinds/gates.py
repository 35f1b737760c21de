"""Gates, which wait for an answer of a person or a program, and sleeps, which wait for a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flytemp.errors import FlytempError
from flytemp_worker.engine import deadlines
from flytemp_worker.engine.kinds.base import NodeHandler, P, begin
from flytemp_worker.engine.messages import BroadcastToChunks, CancelTimer, GateAnswered, StartTimer

if TYPE_CHECKING:
    from flytemp_worker.engine.machine import Engine
    from flytemp_worker.engine.nodes import Node


class SleepHandler(NodeHandler):
    """Succeeds after a time."""

    def start(self, engine: Engine, node: Node) -> None:
        begin(engine, node, f"sleeps {node.plan.seconds:g} s")
        _start_timer(engine, node, node.plan.seconds, "sleep")

    def timer(self, engine: Engine, node: Node) -> None:
        if node.phase is P.RUNNING:
            engine.finish(node, P.SUCCEEDED, "the time has passed")

    def abort(self, engine: Engine, node: Node) -> None:
        _stop_waiting(engine, node)

    def resume(self, engine: Engine, node: Node) -> None:
        engine.emit(StartTimer(node.path, node.attempt, node.try_, node.seconds_left(engine.at), "sleep, resumed"))


class GateHandler(NodeHandler):
    """Succeeds with an answer, which may have been given before; a rejection or too long a wait fails it."""

    def start(self, engine: Engine, node: Node) -> None:
        gate = _gate(node)
        begin(engine, node, f"waits for an answer to {gate['name']!r}")
        node.message = f"waits for {'approval' if gate['kind'] == 'approve' else 'the input'} {gate['name']!r}"
        answer = engine.answers.get(node.path) or engine.answers.get(gate["name"])
        if answer is not None and fits(engine, node, answer):
            _deliver(engine, node, answer)
            return
        engine.waiting[node.path] = node
        if gate["timeout"] is not None:
            _start_timer(engine, node, gate["timeout"], "time-out of the gate")

    def timer(self, engine: Engine, node: Node) -> None:
        if node.phase is not P.RUNNING:
            return
        engine.waiting.pop(node.path, None)
        node.message = node.until = None
        gate = _gate(node)
        message = f"nobody answered the gate {gate['name']!r} within {gate['timeout']:g} s"
        engine.fail_with(node, {"kind": "USER", "code": "Timeout", "message": message, "retryable": False})

    def abort(self, engine: Engine, node: Node) -> None:
        engine.waiting.pop(node.path, None)
        _stop_waiting(engine, node)

    def resume(self, engine: Engine, node: Node) -> None:
        engine.waiting[node.path] = node
        if node.until is not None:
            engine.emit(StartTimer(node.path, node.attempt, node.try_, node.seconds_left(engine.at), "gate, resumed"))


def on_answered(engine: Engine, event: GateAnswered) -> None:
    """An answer, by a gate's name for all that have it, or for one node by its path; kept for those yet to come.

    A name in this engine is the parts' name as well, so every answer is passed on.
    """
    if engine.finished:
        return
    engine.answers[event.gate] = event.answer
    for node in [node for path, node in engine.waiting.items() if event.gate in (path, _gate(node)["name"])]:
        if fits(engine, node, event.answer):
            del engine.waiting[node.path]
            if node.until is not None:
                engine.emit(CancelTimer(node.path, node.attempt, node.try_))
            _deliver(engine, node, event.answer)
    engine.emit(BroadcastToChunks({"answer": {"gate": event.gate, **event.answer}}))


def fits(engine: Engine, node: Node, answer: dict[str, Any]) -> bool:
    """Whether it is an answer to what the gate waits for: a name may be that of gates of both kinds and of any type.

    A value that came before anybody knew the gate, and has another type, leaves it waiting for a better one.
    """
    gate = _gate(node)
    if ("approved" in answer) is not (gate["kind"] == "approve"):
        return False
    if "value" in answer:
        try:
            engine.convert(gate, answer["value"])
        except FlytempError as error:
            node.message = f"waits for the input {gate['name']!r}: what was given does not fit: {error.message}"
            return False
    return True


def _gate(node: Node) -> dict[str, Any]:
    assert node.plan.gate is not None
    return node.plan.gate


def _deliver(engine: Engine, node: Node, answer: dict[str, Any]) -> None:
    node.extra["answer"] = answer
    node.message = node.until = None
    if answer.get("approved") is False:
        reason = f": {answer['reason']}" if answer.get("reason") else ""
        message = f"{_gate(node)['name']!r} was rejected by {answer.get('by') or 'somebody'}{reason}"
        engine.fail_with(node, {"kind": "USER", "code": "ReceivedRejectSignal", "message": message, "retryable": False})
        return
    if "value" in answer:
        node.outputs = {"o0": engine.convert(_gate(node), answer["value"])}
    engine.finish(node, P.SUCCEEDED, f"answered by {answer.get('by') or 'somebody'}")


def _start_timer(engine: Engine, node: Node, seconds: float, why: str) -> None:
    node.until = engine.at + round(seconds * 1000)
    engine.emit(StartTimer(node.path, node.attempt, node.try_, max(seconds, 0.001), why))


def _stop_waiting(engine: Engine, node: Node) -> None:
    if node.until is not None:
        engine.emit(CancelTimer(node.path, node.attempt, node.try_))
    node.message = node.until = None
    engine.move(node, P.CANCELLING, "the workflow is stopping")
    deadlines.stopped(engine, node)
