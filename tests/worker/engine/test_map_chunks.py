"""Large maps: their parts, what they borrow, how they end and go on."""

from __future__ import annotations

from dataclasses import replace

from flytemp.spec.models import NodeSpec, TaskSpec, WorkflowSpec
from flytemp_worker.engine import CancelChild, ChildClosed, IncreaseAllocation, RequestIO, StartChunk

from .programs import document, given, mapped, node, out, spread, task, workflow
from .reference_interpreter import World, evaluate
from .simulation import Limits, Part, Simulation

NEXT = task("next", "a", "b")
FREE = task("free")


def large(items: int = 5, size: int = 2, parallelism: int = 0, **settings: object) -> Simulation:
    spec = mapped("n0", "next", how=spread(**settings), a=list(range(items)), b=7)
    program = document(workflow("wf", spec, outputs={"x": out("n0")}), NEXT)
    return Simulation(program, limits=Limits(max_parallelism=parallelism, max_map_items=size))


def split(run: Simulation) -> list[Part]:
    run.tell("n0")
    return list(run.parts.values())


def complete(run: Simulation, number: int) -> None:
    part = run.parts["n0", number]
    while part.in_flight:
        part.succeed(next(iter(part.in_flight)))
    run.close_part("n0", number)


def error_of(run: Simulation) -> dict[str, object]:
    assert run.finish is not None
    assert run.finish.error is not None
    return run.finish.error


def test_the_lists_are_split_and_each_part_makes_its_calls() -> None:
    run = large()
    lists = {"a": {"literal": [0, 1, 2, 3, 4]}}
    assert run.asked["n0"] == RequestIO("n0", 1, "split", {"values": lists, "count": 5, "size": 2})
    run.restore()
    parts = split(run)
    assert [(part.command.first, part.command.count) for part in parts] == [(0, 2), (2, 2), (4, 1)]
    assert parts[1].command == StartChunk(
        "n0", "n0/1/1", 1, 1, "", "wf", "n0", 2, 2, parts[1].command.width,
        {"b": {"literal": 7}, "a": {"chunk": "n0/1/1", "list": "a"}}, most_failures=0,
    )  # fmt: skip
    assert parts[1].running == ["n0.2@1.1", "n0.3@1.1"]
    for number in (2, 0, 1):
        run.restore()
        complete(run, number)
    assert run.asked["n0"].argument == {
        "outputs": {"x": None, "s": None},
        "parts": [["n0/1/0/1", 2], ["n0/1/1/1", 2], ["n0/1/2/1", 1]],
    }
    run.tell("n0")
    assert run.outputs() == evaluate(run.program, "wf", {})


def beside(spec: NodeSpec, *others: WorkflowSpec | TaskSpec, parallelism: int = 16, size: int = 40) -> Simulation:
    """A map, and two tasks beside it."""
    program = document(workflow("wf", spec, node("n1", "free"), node("n2", "free")), NEXT, FREE, *others)
    return Simulation(program, limits=Limits(max_parallelism=parallelism, max_map_items=size))


def widths(run: Simulation) -> list[int]:
    return [part.lent_to_it for part in run.parts.values()]


def succeed(part: Part, count: int) -> None:
    for _ in range(count):
        part.succeed(next(iter(part.in_flight)))


def test_parts_borrow_what_may_run_at_once_and_leave_something_to_others() -> None:
    run = beside(mapped("n0", "next", a=list(range(40)), b=7), size=2)
    split(run)
    assert len(run.in_flight) == 2
    assert widths(run) == [2] * 7  # seven eighths, and no part more than it has calls
    complete(run, 0)
    assert widths(run) == [2] * 7  # the next part begins
    assert [number for _, number in run.parts] == [1, 2, 3, 4, 5, 6, 7]


def test_a_part_borrows_all_there_is_and_gives_back_what_it_needs_no_more() -> None:
    run = beside(mapped("n0", "next", a=list(range(100)), b=7))
    (first,) = split(run)
    assert (widths(run), len(first.in_flight)) == ([14], 14)
    succeed(first, 26)  # all its calls have started now
    assert first.given_back == []
    succeed(first, 1)
    assert first.given_back == [13]
    run.hear_part("n0", 0)
    assert widths(run) == [13, 1]  # the next part begins with what is free
    run.restore()
    first.restore()
    succeed(first, 3)
    while first.given_back:
        run.hear_part("n0", 0)
    second = run.parts["n0", 1]
    assert widths(run) == [10, 4]  # and is lent more as it comes free
    assert len(second.in_flight) == 4
    second.restore()
    complete(run, 0)
    assert (widths(run), len(second.in_flight)) == ([14], 14)


def test_a_part_whose_calls_all_start_at_once_lets_the_next_begin() -> None:
    run = beside(mapped("n0", "next", a=list(range(100)), b=7), parallelism=72)
    split(run)
    assert widths(run) == [40, 23]
    assert [len(part.in_flight) for part in run.parts.values()] == [40, 23]


def test_calls_that_may_need_their_place_later_keep_it() -> None:
    inner = workflow("inner", node("n0", "free"), inputs=("a",))
    run = beside(mapped("n0", "inner", of="workflow", a=list(range(100))), inner, size=4)
    split(run)
    assert widths(run) == [1] * 14
    part = run.parts["n0", 0]
    succeed(part, 1)
    assert part.given_back == []


def test_two_large_maps_share() -> None:
    specs = [mapped(name, "next", a=list(range(100)), b=7) for name in ("n0", "n1")]
    run = Simulation(document(workflow("wf", *specs), NEXT), limits=Limits(max_parallelism=16, max_map_items=40))
    run.tell("n0")
    run.tell("n1")
    assert widths(run) == [14]
    first = run.parts["n0", 0]
    while "n1" not in {path for path, _ in run.parts}:
        succeed(first, 1)
        while first.given_back:
            run.hear_part("n0", 0)
    assert {path for path, _ in run.parts} == {"n0", "n1"}


def test_a_part_that_goes_away_gives_back_all() -> None:
    run = beside(mapped("n0", "next", a=list(range(60)), b=7))
    (first,) = split(run)
    succeed(first, 30)
    run.hear_part("n0", 0)
    again, *_ = run.lose_part("n0", 0)
    assert isinstance(again, IncreaseAllocation | StartChunk)
    assert run.lent <= 14


def test_a_maps_own_concurrency_bounds_its_parts_together() -> None:
    run = large(items=12, size=5, concurrency=3)
    (first,) = split(run)
    assert (run.lent, len(first.in_flight)) == (3, 3)
    assert run.row("n0")["extra"]["parts"][2] == {"phase": "WAITING", "attempt": 1, "width": 0, "done": [0, 0]}
    succeed(first, 3)
    assert first.given_back == [2]
    run.hear_part("n0", 0)
    second = run.parts["n0", 1]
    assert (widths(run), len(second.in_flight)) == ([2, 1], 1)
    complete(run, 0)
    assert (widths(run), len(second.in_flight)) == ([3], 3)


def test_one_part_too_many_failures_stops_the_others() -> None:
    run = large(items=6, min_success_ratio=0.5)
    first, second, third = split(run)
    assert first.command.most_failures == 3
    for path in ("n0.0", "n0.1"):
        first.fail(path)
    run.close_part("n0", 0)
    assert run.phases["n0"] == "RUNNING"
    for path in ("n0.2", "n0.3"):
        second.fail(path)
    commands = run.close_part("n0", 1)
    assert commands == [CancelChild("n0", 2, 1, "node n0 failed")]
    assert third.stopping == {"n0.4", "n0.5"}
    run.restore()
    third.stopped("n0.4")
    third.stopped("n0.5")
    run.close_part("n0", 2)
    assert (error_of(run)["code"], error_of(run)["node"]) == ("MapFailed", "n0")
    assert error_of(run)["message"] == "4 of 6 calls of the map failed, more than may"


def test_some_failures_are_null_across_parts() -> None:
    run = large(items=4, min_success_ratio=0.5)
    first, second = split(run)
    first.fail("n0.1")
    second.fail("n0.2")
    for number in (0, 1):
        complete(run, number)
    run.tell("n0")
    assert run.outputs() == evaluate(run.program, "wf", {}, World(lost=frozenset({"n0.1", "n0.2"})))


def test_a_part_that_fails_tells_why() -> None:
    run = large(items=4)
    first, second = split(run)
    first.fail("n0.1", "ValueError", "odd")
    first.stopped("n0.0")
    run.close_part("n0", 0)
    for path in list(second.in_flight):
        second.stopped(path)
    run.close_part("n0", 1)
    assert (error_of(run)["code"], error_of(run)["message"], error_of(run)["node"]) == ("ValueError", "odd", "n0.1")


def test_with_run_all_the_other_parts_go_on() -> None:
    run = large(items=4, run_all=True)
    first, _ = split(run)
    first.fail("n0.1", "ValueError", "odd")
    first.succeed("n0.0")
    run.close_part("n0", 0)
    assert run.phases["n0"] == "RUNNING"
    complete(run, 1)
    assert run.phases["n0"] == "FAILED"
    assert error_of(run)["message"] == "odd"


def test_a_part_that_went_away_is_started_again_until_the_platform_gives_up() -> None:
    run = large(items=4)
    split(run)
    lost = run.parts["n0", 0].command
    for attempt in (2, 3):
        (again,) = run.lose_part("n0", 0)
        assert again == replace(lost, attempt=attempt)
    run.lose_part("n0", 0)
    second = run.parts["n0", 1]
    for path in list(second.in_flight):
        second.stopped(path)
    run.close_part("n0", 1)
    assert error_of(run)["code"] == "ChildEnded"


def test_the_end_of_a_part_is_heard_twice() -> None:
    run = large(items=4)
    split(run)
    complete(run, 0)
    assert run.do(run.heard[0]) == []
    assert run.do(ChildClosed("n0", 0, 1, "LOST", error={"kind": "SYSTEM", "code": "ChildEnded", "message": "gone"})) == []


def test_cancel_stops_the_parts_that_run_and_the_others_never_start() -> None:
    run = large(items=8, parallelism=1)
    (only,) = split(run)
    commands = run.cancel("not needed")
    assert commands == [CancelChild("n0", 0, 1, "the execution was cancelled")]
    only.stopped("n0.0")
    assert only.finish is not None
    assert (only.finish.phase, only.finish.counts) == ("ABORTED", (0, 1))
    run.close_part("n0", 0)
    assert run.phases == {"n0": "ABORTED"}


def test_a_map_in_parts_that_is_tried_again_uses_no_attempt_twice() -> None:
    run = large(items=3)
    first, second = split(run)
    first.fail("n0.0")
    first.stopped("n0.1")
    run.close_part("n0", 0)
    second.stopped("n0.2")
    run.close_part("n0", 1)
    run.reload()
    run.retry()
    run.tell("n0")
    again = run.parts["n0", 0]
    assert (again.command.name, again.command.attempt, again.command.base) == ("n0/2/0", 2, 100)
    assert again.running == ["n0.0@101.1", "n0.1@101.1"]
    for number in (0, 1):
        complete(run, number)
    run.tell("n0")
    assert run.outputs() == evaluate(run.program, "wf", {})


def test_parts_in_parts() -> None:
    inner = workflow("inner", mapped("n0", "next", a=given("l"), b=1), inputs=("l",), outputs={"x": out("n0")})
    spec = mapped("n0", "inner", of="workflow", over=("l",), l=[[1, 2, 3], [4, 5, 6], [7]])
    program = document(workflow("wf", spec, outputs={"x": out("n0")}), inner, NEXT)
    run = Simulation(program, limits=Limits(max_map_items=2))
    outer = split(run)[0]
    outer.tell("n0.0.n0")
    nested = outer.parts["n0.0.n0", 0]
    assert nested.command.source == ""
    assert (nested.command.graph, nested.command.local, nested.running) == ("inner", "n0", ["n0.0.n0.0@1.1", "n0.0.n0.1@1.1"])
    outer.restore()
    nested.restore()
    while run.finish is None:
        for one in list(run.everything()):
            for path in list(one.in_flight):
                one.succeed(path)
            for path in list(one.asked):
                one.tell(path)
            for path, number in [key for key, part in one.parts.items() if part.finish is not None]:
                one.close_part(path, number)
    assert run.outputs() == evaluate(program, "wf", {})
