"""Seams of the engine: routes and epochs of tries, look-ups of results, and kinds of nodes that are injected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from flytemp.spec.plan import plan_of
from flytemp_worker.engine import snapshot
from flytemp_worker.engine.handlers import NodeHandler, P, Registry
from flytemp_worker.engine.machine import Engine
from flytemp_worker.engine.messages import Finish, RunTask, TaskLost, TaskSucceeded, TimerFired
from flytemp_worker.engine.nodes import Attempt, Node
from flytemp_worker.engine.plan import Plan
from flytemp_worker.node_kinds import HANDLERS, REGISTRY, new_engine

from .programs import document, node, out, task, workflow
from .simulation import Simulation

FREE = task("free")
NEXT = task("next", "a")


def chain() -> Engine:
    program = document(workflow("wf", node("n0", "free"), node("n1", "next", a=out("n0", "s"))), FREE, NEXT)
    return new_engine(Plan(plan_of(program)), {})


@pytest.mark.parametrize(("pool", "route"), [("gpu", "gpu"), (None, "")])
def test_every_try_has_the_pool_of_its_task_as_route(pool: str | None, route: str) -> None:
    plan = plan_of(document(workflow("wf", node("n0", "free")), FREE))
    plan["graphs"]["wf"]["nodes"][0]["pool"] = pool
    (command,) = new_engine(Plan(plan), {}).begin(0)
    assert isinstance(command, RunTask)
    assert command.route == route


def test_status_of_a_look_up_is_in_the_row_of_the_node() -> None:
    run = Simulation(document(workflow("wf", node("n0", "free")), FREE))
    run.do(TaskSucceeded("n0", 1, 1, {"x": 1, "s": 2}, 10, lookup="hit"))
    assert run.row("n0")["lookup"] == "hit"


def test_tries_after_a_reset_have_another_epoch_and_results_of_their_own() -> None:
    engine = chain()
    engine.begin(0)
    engine.epoch = "9f3a2c01"
    engine.step(TaskLost("n0", 1, 1, "the worker disappeared"), 1)
    (command,) = engine.step(TimerFired("n0", 1, 2), 2)
    assert isinstance(command, RunTask)
    assert command.epoch == "9f3a2c01"
    (following,) = engine.step(TaskSucceeded("n0", 1, 2, None, 100_000), 3)
    assert isinstance(following, RunTask)
    assert following.inputs == {"a": {"result": "n0/1-9f3a2c01", "output": "s"}}
    restored = chain()
    snapshot.fill(restored, snapshot.state(engine))
    assert restored.by_path["n0"].ref == "n0/1-9f3a2c01"


@dataclass(slots=True)
class EchoAttempt(Attempt):
    echoed: str = ""


class EchoHandler(NodeHandler):
    """A kind of node that succeeds at once with the name of its target."""

    attempt = EchoAttempt

    def start(self, engine: Engine, node: Node) -> None:
        assert isinstance(node.state, EchoAttempt)
        engine.begin_attempt(node)
        engine.move(node, P.RUNNING, "it echoes")
        node.state.echoed = node.plan.target
        node.state.outputs = {"o0": node.plan.target}
        engine.finish(node, P.SUCCEEDED, "it echoed")


def test_kinds_of_nodes_are_injected() -> None:
    registry = Registry({**HANDLERS, "echo": EchoHandler()}, REGISTRY.listeners, REGISTRY.queues)
    graph: dict[str, Any] = {
        "nodes": [{"id": "n0", "kind": "echo", "target": "hello"}],
        "out": {"o": {"node": 0, "output": "o0"}},
    }
    engine = Engine(Plan({"root": "wf", "graphs": {"wf": graph}}), {}, registry)
    assert engine.begin(0) == [Finish("SUCCEEDED", outputs={"o": {"literal": "hello"}})]
    (row,) = snapshot.rows(engine)
    assert row["echoed"] == "hello"
