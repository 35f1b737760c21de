"""Large maps: their chunks, the slots of these, their ends and retries."""

from __future__ import annotations

from dataclasses import replace

from flytemp.spec.models import NodeSpec, TaskSpec, WorkflowSpec
from flytemp_worker.engine.messages import CancelChild, ChildClosed, IncreaseAllocation, RequestIO, StartChunk

from .programs import AT_THE_END, document, given, mapped, node, out, spread, task, workflow
from .reference_interpreter import World, evaluate
from .simulation import ChunkSimulation, Limits, Simulation

NEXT = task("next", "a", "b")
FREE = task("free")


def large(items: int = 5, size: int = 2, parallelism: int = 0, **settings: object) -> Simulation:
    spec = mapped("n0", "next", how=spread(**settings), a=list(range(items)), b=7)
    program = document(workflow("wf", spec, outputs={"x": out("n0")}), NEXT)
    return Simulation(program, limits=Limits(max_parallelism=parallelism, max_map_items=size))


def split(run: Simulation) -> list[ChunkSimulation]:
    run.complete_io("n0")
    return list(run.chunks.values())


def complete(run: Simulation, number: int) -> None:
    chunk = run.chunks["n0", number]
    while chunk.in_flight:
        chunk.succeed(next(iter(chunk.in_flight)))
    run.close_chunk("n0", number)


def error_of(run: Simulation) -> dict[str, object]:
    assert run.finish is not None
    assert run.finish.error is not None
    return run.finish.error


def test_lists_are_split_and_each_chunk_makes_its_calls() -> None:
    run = large()
    lists = {"a": {"literal": [0, 1, 2, 3, 4]}}
    assert run.requested["n0"] == RequestIO("n0", 1, "split", {"values": lists, "count": 5, "size": 2})
    run.restore()
    chunks = split(run)
    assert [(chunk.command.first, chunk.command.count) for chunk in chunks] == [(0, 2), (2, 2), (4, 1)]
    assert chunks[1].command == StartChunk(
        "n0", "n0/1/1", 1, 1, "", "wf", "n0", 2, 2, chunks[1].command.width,
        {"b": {"literal": 7}, "a": {"chunk": "n0/1/1", "list": "a"}}, max_failures=0,
    )  # fmt: skip
    assert chunks[1].running == ["n0.2@1.1", "n0.3@1.1"]
    for number in (2, 0, 1):
        run.restore()
        complete(run, number)
    assert run.requested["n0"].argument == {
        "outputs": {"x": None, "s": None},
        "chunks": [["n0/1/0/1", 2], ["n0/1/1/1", 2], ["n0/1/2/1", 1]],
    }
    run.complete_io("n0")
    assert run.outputs() == evaluate(run.program, "wf", {})


def beside(spec: NodeSpec, *others: WorkflowSpec | TaskSpec, parallelism: int = 16, size: int = 40) -> Simulation:
    """Return an execution of a map and two tasks."""
    program = document(workflow("wf", spec, node("n1", "free"), node("n2", "free")), NEXT, FREE, *others)
    return Simulation(program, limits=Limits(max_parallelism=parallelism, max_map_items=size))


def widths(run: Simulation) -> list[int]:
    return [chunk.granted for chunk in run.chunks.values()]


def succeed(chunk: ChunkSimulation, count: int) -> None:
    for _ in range(count):
        chunk.succeed(next(iter(chunk.in_flight)))


def test_chunks_leave_slots_for_other_nodes() -> None:
    run = beside(mapped("n0", "next", a=list(range(40)), b=7), size=2)
    split(run)
    assert len(run.in_flight) == 2
    assert widths(run) == [2] * 7  # seven eighths, and no chunk more than it has calls
    complete(run, 0)
    assert widths(run) == [2] * 7  # the next chunk starts
    assert [number for _, number in run.chunks] == [1, 2, 3, 4, 5, 6, 7]


def test_chunk_gets_all_free_slots_and_releases_those_it_does_not_need() -> None:
    run = beside(mapped("n0", "next", a=list(range(100)), b=7))
    (first,) = split(run)
    assert (widths(run), len(first.in_flight)) == ([14], 14)
    succeed(first, 26)  # all its calls have started now
    assert first.released == []
    succeed(first, 1)
    assert first.released == [13]
    run.report_release("n0", 0)
    assert widths(run) == [13, 1]  # the next chunk starts with the free slots
    run.restore()
    first.restore()
    succeed(first, 3)
    while first.released:
        run.report_release("n0", 0)
    second = run.chunks["n0", 1]
    assert widths(run) == [10, 4]  # and gets more when they become free
    assert len(second.in_flight) == 4
    second.restore()
    complete(run, 0)
    assert (widths(run), len(second.in_flight)) == ([14], 14)


def test_next_chunk_starts_when_all_calls_of_the_first_have_started() -> None:
    run = beside(mapped("n0", "next", a=list(range(100)), b=7), parallelism=72)
    split(run)
    assert widths(run) == [40, 23]
    assert [len(chunk.in_flight) for chunk in run.chunks.values()] == [40, 23]


def test_chunks_of_workflows_keep_their_slots() -> None:
    inner = workflow("inner", node("n0", "free"), inputs=("a",))
    run = beside(mapped("n0", "inner", of="workflow", a=list(range(100))), inner, size=4)
    split(run)
    assert widths(run) == [1] * 14
    chunk = run.chunks["n0", 0]
    succeed(chunk, 1)
    assert chunk.released == []


def test_two_large_maps_share_the_slots() -> None:
    specs = [mapped(name, "next", a=list(range(100)), b=7) for name in ("n0", "n1")]
    run = Simulation(document(workflow("wf", *specs), NEXT), limits=Limits(max_parallelism=16, max_map_items=40))
    run.complete_io("n0")
    run.complete_io("n1")
    assert widths(run) == [14]
    first = run.chunks["n0", 0]
    while "n1" not in {path for path, _ in run.chunks}:
        succeed(first, 1)
        while first.released:
            run.report_release("n0", 0)
    assert {path for path, _ in run.chunks} == {"n0", "n1"}


def test_slots_of_a_lost_chunk_are_released() -> None:
    run = beside(mapped("n0", "next", a=list(range(60)), b=7))
    (first,) = split(run)
    succeed(first, 30)
    run.report_release("n0", 0)
    again, *_ = run.lose_chunk("n0", 0)
    assert isinstance(again, IncreaseAllocation | StartChunk)
    assert run.allocated <= 14


def test_concurrency_of_a_map_limits_all_chunks_together() -> None:
    run = large(items=12, size=5, concurrency=3)
    (first,) = split(run)
    assert (run.allocated, len(first.in_flight)) == (3, 3)
    assert run.row("n0")["chunks"][2]["phase"] == "WAITING"
    succeed(first, 3)
    assert first.released == [2]
    run.report_release("n0", 0)
    second = run.chunks["n0", 1]
    assert (widths(run), len(second.in_flight)) == ([2, 1], 1)
    complete(run, 0)
    assert (widths(run), len(second.in_flight)) == ([3], 3)


def test_too_many_failures_stop_the_other_chunks() -> None:
    run = large(items=6, min_success_ratio=0.5)
    first, second, third = split(run)
    assert first.command.max_failures == 3
    for path in ("n0.0", "n0.1"):
        first.fail(path)
    run.close_chunk("n0", 0)
    assert run.phases["n0"] == "RUNNING"
    for path in ("n0.2", "n0.3"):
        second.fail(path)
    commands = run.close_chunk("n0", 1)
    assert commands == [CancelChild("n0", 2, 1, "node n0 failed")]
    assert third.stopping == {"n0.4", "n0.5"}
    run.restore()
    third.stopped("n0.4")
    third.stopped("n0.5")
    run.close_chunk("n0", 2)
    assert (error_of(run)["code"], error_of(run)["node"]) == ("MapFailed", "n0")
    assert error_of(run)["code"] == "MapFailed"


def test_tolerated_failures_are_null_across_chunks() -> None:
    run = large(items=4, min_success_ratio=0.5)
    first, second = split(run)
    first.fail("n0.1")
    second.fail("n0.2")
    for number in (0, 1):
        complete(run, number)
    run.complete_io("n0")
    assert run.outputs() == evaluate(run.program, "wf", {}, World(lost=frozenset({"n0.1", "n0.2"})))


def test_failed_chunk_fails_the_map_with_its_error() -> None:
    run = large(items=4)
    first, second = split(run)
    first.fail("n0.1", "ValueError", "odd")
    first.stopped("n0.0")
    run.close_chunk("n0", 0)
    for path in list(second.in_flight):
        second.stopped(path)
    run.close_chunk("n0", 1)
    assert (error_of(run)["code"], error_of(run)["message"], error_of(run)["node"]) == ("ValueError", "odd", "n0.1")


def test_run_all_lets_the_other_chunks_continue() -> None:
    run = large(items=4, run_all=True)
    first, _ = split(run)
    first.fail("n0.1", "ValueError", "odd")
    first.succeed("n0.0")
    run.close_chunk("n0", 0)
    assert run.phases["n0"] == "RUNNING"
    complete(run, 1)
    assert run.phases["n0"] == "FAILED"
    assert error_of(run)["message"] == "odd"


def test_lost_chunk_is_restarted_up_to_the_limit() -> None:
    run = large(items=4)
    split(run)
    lost = run.chunks["n0", 0].command
    for attempt in (2, 3):
        (again,) = run.lose_chunk("n0", 0)
        assert again == replace(lost, attempt=attempt)
    run.lose_chunk("n0", 0)
    second = run.chunks["n0", 1]
    for path in list(second.in_flight):
        second.stopped(path)
    run.close_chunk("n0", 1)
    assert error_of(run)["code"] == "ChildEnded"


def test_repeated_end_of_a_chunk_is_ignored() -> None:
    run = large(items=4)
    split(run)
    complete(run, 0)
    assert run.do(run.reported[0]) == []
    assert run.do(ChildClosed("n0", 0, 1, "LOST", error={"kind": "SYSTEM", "code": "ChildEnded", "message": "gone"})) == []


def test_cancel_stops_running_chunks_and_starts_no_others() -> None:
    run = large(items=8, parallelism=1)
    (only,) = split(run)
    commands = run.cancel("not needed")
    assert commands == [CancelChild("n0", 0, 1, "the execution was cancelled")]
    only.stopped("n0.0")
    assert only.finish is not None
    assert (only.finish.phase, only.finish.counts) == ("ABORTED", (0, 1))
    run.close_chunk("n0", 0)
    assert run.phases == {"n0": "ABORTED"}


def test_retried_map_with_chunks_uses_no_attempt_twice() -> None:
    run = large(items=3)
    first, second = split(run)
    first.fail("n0.0")
    first.stopped("n0.1")
    run.close_chunk("n0", 0)
    second.stopped("n0.2")
    run.close_chunk("n0", 1)
    run.reload()
    run.retry()
    run.complete_io("n0")
    again = run.chunks["n0", 0]
    assert (again.command.name, again.command.attempt, again.command.attempts_before) == ("n0/2/0", 101, 100)
    assert again.running == ["n0.0@101.1", "n0.1@101.1"]
    for number in (0, 1):
        complete(run, number)
    run.complete_io("n0")
    assert run.outputs() == evaluate(run.program, "wf", {})


def test_map_that_failed_during_a_pause_is_retried_without_its_queue_of_chunks() -> None:
    inner = workflow("inner", mapped("n0", "next", a=list(range(8)), b=7), outputs={"x": out("n0")})
    root = workflow("wf", node("n0", "inner", sub=True), node("n1", "free"), policy=AT_THE_END)
    run = Simulation(document(root, inner, NEXT, FREE), limits=Limits(max_parallelism=2, max_map_items=2))
    run.complete_io("n0.n0")
    run.pause()
    chunk = run.chunks["n0.n0", 0]
    chunk.fail("n0.n0.0")
    run.close_chunk("n0.n0", 0)
    assert run.phases["n0.n0"] == "FAILED"
    run.retry("n0.n0")
    run.resume()
    assert run.requested["n0.n0"].operation == "split"


def test_chunks_in_chunks() -> None:
    inner = workflow("inner", mapped("n0", "next", a=given("l"), b=1), inputs=("l",), outputs={"x": out("n0")})
    spec = mapped("n0", "inner", of="workflow", over=("l",), l=[[1, 2, 3], [4, 5, 6], [7]])
    program = document(workflow("wf", spec, outputs={"x": out("n0")}), inner, NEXT)
    run = Simulation(program, limits=Limits(max_map_items=2))
    outer = split(run)[0]
    outer.complete_io("n0.0.n0")
    nested = outer.chunks["n0.0.n0", 0]
    assert nested.command.source == ""
    assert (nested.command.graph, nested.command.local, nested.running) == ("inner", "n0", ["n0.0.n0.0@1.1", "n0.0.n0.1@1.1"])
    outer.restore()
    nested.restore()
    while run.finish is None:
        for one in list(run.everything()):
            for path in list(one.in_flight):
                one.succeed(path)
            for path in list(one.requested):
                one.complete_io(path)
            for path, number in [key for key, chunk in one.chunks.items() if chunk.finish is not None]:
                one.close_chunk(path, number)
    assert run.outputs() == evaluate(program, "wf", {})
