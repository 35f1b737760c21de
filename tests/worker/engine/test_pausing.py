"""Pauses: no new tries start, and running tries continue."""

from __future__ import annotations

from flytemp_worker.engine.messages import BroadcastToChunks, RunTask

from .programs import document, launch_plan, mapped, node, out, sleep, task, workflow
from .simulation import ChunkSimulation, Limits, Simulation

FREE = task("free", retries=1)
NEXT = task("next", "a")


def chain() -> Simulation:
    return Simulation(
        document(workflow("wf", node("n0", "free"), node("n1", "next", a=out("n0")), node("n2", "free")), FREE, NEXT)
    )


def test_pause_starts_nothing_new() -> None:
    run = chain()
    assert run.pause() == [BroadcastToChunks({"pause": {"by": "ann", "reason": "to look at it"}})]
    assert run.engine.paused == {"by": "ann", "reason": "to look at it", "at": run.at}
    run.succeed("n0")
    assert run.phases == {"n0": "SUCCEEDED", "n1": "READY", "n2": "RUNNING"}
    run.fail("n2")
    run.fire("n2")
    assert run.in_flight == {}
    run.restore()
    assert run.engine.paused is not None
    commands = run.resume()
    assert commands[0] == BroadcastToChunks({"resume": {"by": "ann"}})
    assert run.running == ["n1@1.1", "n2@2.1"]


def test_second_pause_and_needless_resumption_are_ignored() -> None:
    run = chain()
    assert run.resume() == []
    run.pause()
    assert run.pause() == []


def test_timers_continue_during_a_pause() -> None:
    run = Simulation(document(workflow("wf", sleep("n0", 60), node("n1", "free", "n0")), FREE))
    run.pause()
    run.fire("n0")
    assert run.phases == {"n0": "SUCCEEDED", "n1": "READY"}


def test_paused_execution_starts_no_children_and_no_chunks() -> None:
    nodes = (node("n0", "free"), node("n1", "lp", "n0", kind="launch_plan", a=1), mapped("n2", "next", "n0", a=[1, 2, 3]))
    run = Simulation(document(workflow("wf", *nodes), FREE, NEXT, launch_plan("lp", "a")), limits=Limits(max_map_items=2))
    run.pause()
    run.succeed("n0")
    run.complete_io("n2")
    assert (run.executions, run.chunks) == ({}, {})
    run.resume()
    assert (len(run.executions), len(run.chunks)) == (1, 2)


def test_chunks_pause_and_resume_with_the_execution() -> None:
    spec = mapped("n0", "next", a=[1, 2, 3, 4])
    run = Simulation(document(workflow("wf", spec), NEXT), limits=Limits(max_parallelism=1, max_map_items=3))
    run.complete_io("n0")
    chunk = run.chunks["n0", 0]
    assert chunk.running == ["n0.0@1.1"]
    run.pause()
    chunk.succeed("n0.0")
    assert chunk.in_flight == {}
    chunk.restore()
    run.resume()
    assert chunk.running == ["n0.1@1.1"]


def test_chunk_that_starts_during_a_pause_starts_no_tasks() -> None:
    spec = mapped("n0", "next", a=[1, 2, 3, 4])
    run = Simulation(document(workflow("wf", spec), NEXT), limits=Limits(max_map_items=3))
    run.complete_io("n0")
    run.pause()
    chunk = ChunkSimulation(run, run.chunks["n0", 0].command)  # Temporal starts the workflow of a chunk later
    assert chunk.running == []
    chunk.resume()
    assert chunk.running == ["n0.0@1.1", "n0.1@1.1", "n0.2@1.1"]


def test_paused_execution_can_be_cancelled_and_runs_its_failure_node() -> None:
    root = workflow("wf", node("n0", "free"), node("n1", "free", "n0"), on_failure=node("fn0", "free"))
    run = Simulation(document(root, FREE))
    run.pause()
    run.cancel()
    commands = run.stopped("n0")
    assert commands == [RunTask("fn0", "wf", "fn0", "free", "free", 1, 1, {})]
    run.succeed("fn0")
    assert run.finish is not None
    assert run.finish.phase == "ABORTED"
