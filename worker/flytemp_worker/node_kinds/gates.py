"""Gates, which wait for an answer of a person or a program, and sleeps, which wait for a time."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from flytemp.errors import FlytempError
from flytemp.spec.bindings import Binding
from flytemp_worker.engine.errors import make_error
from flytemp_worker.engine.handlers import NodeHandler, P
from flytemp_worker.engine.machine import Engine
from flytemp_worker.engine.messages import BroadcastToChunks, CancelTimer, GateAnswered, StartTimer
from flytemp_worker.engine.nodes import Attempt, GraphRun, Node

MAX_KEPT_BYTES = 1_200_000
"""Maximum length of the JSON of the answers that are kept for gates that start later.

A chunk of a map gets the kept answers in its argument, for which Temporal's limit is 2 MiB. Updates are refused before. Any
client can send the signal with which the parent of a chunk passes on an answer.
"""


class SleepHandler(NodeHandler):
    """Succeeds after a time."""

    def start(self, engine: Engine, node: Node) -> None:
        engine.begin_attempt(node)
        seconds: float = node.plan.data["seconds"]
        engine.move(node, P.RUNNING, f"sleeps {seconds:g} s")
        self.start_timer(engine, node, seconds, "sleep")

    def start_timer(self, engine: Engine, node: Node, seconds: float, why: str) -> None:
        node.state.until = engine.at + round(seconds * 1000)
        engine.emit(StartTimer(node.path, node.attempt, node.state.try_, max(seconds, 0.001), why))

    def on_timer(self, engine: Engine, node: Node) -> None:
        if node.phase is P.RUNNING:
            engine.finish(node, P.SUCCEEDED, "the time has passed")

    def abort(self, engine: Engine, node: Node) -> None:
        self.stop_timer(engine, node)
        engine.move(node, P.CANCELLING, "the workflow is stopping")
        engine.on_stopped(node)

    def stop_timer(self, engine: Engine, node: Node) -> None:
        if node.state.until is not None:
            engine.emit(CancelTimer(node.path, node.attempt, node.state.try_))
        node.state.message = node.state.until = None

    def resume(self, engine: Engine, node: Node) -> None:
        if node.state.until is not None:
            seconds = node.seconds_left(engine.at)
            engine.emit(StartTimer(node.path, node.attempt, node.state.try_, seconds, f"{node.kind}, resumed"))


@dataclass(slots=True)
class GateAttempt(Attempt):
    answer: dict[str, Any] | None = None

    def source_of(self, node: Node, output: str) -> tuple[Binding, GraphRun] | None:
        """Return the value that an approval passes on."""
        return (node.bindings["value"], node.scope.lexical) if self.outputs is None else None


class GateHandler(SleepHandler):
    """Succeeds with an answer, which may have been given before; a rejection or a time-out fails it."""

    attempt = GateAttempt

    def start(self, engine: Engine, node: Node) -> None:
        gate = _gate(node)
        engine.begin_attempt(node)
        engine.move(node, P.RUNNING, f"waits for an answer to {gate['name']!r}")
        node.state.message = f"waits for {'approval' if gate['kind'] == 'approve' else 'the input'} {gate['name']!r}"
        answer = engine.answers.get(node.path) or engine.answers.get(gate["name"])
        if answer is not None and accepts(engine, node, answer):
            self._take(engine, node, answer)
            return
        engine.waiting[node.path] = node
        if gate["timeout"] is not None:
            self.start_timer(engine, node, gate["timeout"], "time-out of the gate")

    def on_timer(self, engine: Engine, node: Node) -> None:
        if node.phase is P.RUNNING:
            engine.waiting.pop(node.path, None)
            node.state.message = node.state.until = None
            gate = _gate(node)
            message = f"the gate {gate['name']!r} got no answer within {gate['timeout']:g} s"
            engine.fail_with(node, make_error("Timeout", message, retryable=False))

    def abort(self, engine: Engine, node: Node) -> None:
        engine.waiting.pop(node.path, None)
        super().abort(engine, node)

    def resume(self, engine: Engine, node: Node) -> None:
        engine.waiting[node.path] = node
        super().resume(engine, node)

    def forget(self, engine: Engine, node: Node) -> None:
        if _state(node).answer is not None:
            engine.answers.pop(node.path, None)
            engine.answers.pop(_gate(node)["name"], None)

    def answer(self, engine: Engine, node: Node, answer: dict[str, Any]) -> None:
        """Answer a gate that waits."""
        del engine.waiting[node.path]
        self.stop_timer(engine, node)
        self._take(engine, node, answer)

    def _take(self, engine: Engine, node: Node, answer: dict[str, Any]) -> None:
        state, by = _state(node), answer.get("by") or "an unknown user"
        state.answer, state.message = answer, None
        if answer.get("approved") is False:
            reason = f": {answer['reason']}" if answer.get("reason") else ""
            engine.fail_with(node, make_error("ReceivedRejectSignal", f"{_gate(node)['name']!r} was rejected by {by}{reason}"))
            return
        if "value" in answer:
            state.outputs = {"o0": engine.convert(_gate(node), answer["value"])}
        engine.finish(node, P.SUCCEEDED, f"answered by {by}")

    def public_fields(self, node: Node) -> dict[str, Any]:
        return {"gate": node.plan.gate}


def on_answered(engine: Engine, event: GateAnswered) -> None:
    """Answer a gate by its path, or all gates of a name; the answer is kept for gates that start later.

    Gates in chunks of maps may have the name too, so every answer is passed on to them. An answer that exceeds `MAX_KEPT_BYTES`
    is not kept.
    """
    if engine.finished:
        return
    if len(json.dumps([engine.answers, event.answer])) <= MAX_KEPT_BYTES:
        engine.answers[event.gate] = event.answer
    for node in [node for path, node in engine.waiting.items() if event.gate in (path, _gate(node)["name"])]:
        if accepts(engine, node, event.answer):
            assert isinstance(node.handler, GateHandler)
            node.handler.answer(engine, node, event.answer)
    engine.emit(BroadcastToChunks({"answer": {"gate": event.gate, **event.answer}}))


def accepts(engine: Engine, node: Node, answer: dict[str, Any]) -> bool:
    """Return True if an answer has the form and type that the gate expects; gates of several types may share a name.

    A gate keeps waiting if the answer that was given before it started has another type.
    """
    gate = _gate(node)
    if ("approved" in answer) is not (gate["kind"] == "approve"):
        return False
    if "value" in answer:
        try:
            engine.convert(gate, answer["value"])
        except FlytempError as error:
            node.state.message = f"waits for the input {gate['name']!r}; the given value does not fit: {error.message}"
            return False
    return True


def _gate(node: Node) -> dict[str, Any]:
    assert node.plan.gate is not None
    return node.plan.gate


def _state(node: Node) -> GateAttempt:
    assert isinstance(node.state, GateAttempt)
    return node.state
