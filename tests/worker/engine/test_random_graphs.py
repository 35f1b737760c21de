"""Any graph, any failures, any order of answers: what always holds. `Simulation` checks most of it at every step."""

from __future__ import annotations

import os
from random import Random

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from flytemp_worker.engine import IllegalMove, TaskSucceeded, TimerFired

from .fault_schedule import Weather, bounds, drive, fair, foul, lost_calls
from .random_programs import Launch, launches
from .reference_interpreter import Failed, Json, World, evaluate
from .simulation import Limits, Simulation

# FLYTEMP_ENGINE_EXAMPLES asks for a longer search than every run of the suite can afford.
moderate = settings(
    max_examples=int(os.environ.get("FLYTEMP_ENGINE_EXAMPLES", "100")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
chances = st.integers(0, 2**32).map(Random)


def start(launch: Launch, limits: Limits, inline: bool = True) -> Simulation:
    return Simulation(launch.program, launch.inputs, inline=inline, limits=limits, dynamics=launch.dynamics)


def expected(launch: Launch, lost: frozenset[str] = frozenset()) -> dict[str, Json] | None:
    """What plain Python gives; None where the program itself fails."""
    try:
        return evaluate(launch.program, launch.program.name, launch.inputs, World(launch.dynamics, lost))
    except Failed:
        return None


def check_end(run: Simulation, launch: Launch) -> None:
    """The execution came to the end that plain Python comes to, or to the bound of dynamics in each other."""
    assert run.finish is not None
    if run.finish.error is not None and run.finish.error["code"] == "DynamicTooDeep":
        assert run.limits.max_dynamic_depth == 2
        return
    wanted = expected(launch, lost_calls(run))
    if wanted is None:
        assert run.finish.phase == "FAILED"
        return
    assert run.outputs() == wanted
    assert set(run.phases.values()) <= {"SUCCEEDED", "SKIPPED"} or lost_calls(run)


@given(launches(), fair, bounds, st.booleans(), chances)
@moderate
def test_what_succeeds_gives_what_plain_python_gives(
    launch: Launch, weather: Weather, limits: Limits, inline: bool, random: Random
) -> None:
    run = start(launch, limits, inline)
    drive(run, weather, random)
    check_end(run, launch)


@given(launches(), foul, bounds, st.booleans(), chances)
@moderate
def test_every_execution_ends_in_order(launch: Launch, weather: Weather, limits: Limits, inline: bool, random: Random) -> None:
    run = start(launch, limits, inline)
    drive(run, weather, random)
    assert run.finish is not None
    event(run.finish.phase)
    if run.finish.phase == "SUCCEEDED":
        assert run.outputs() == expected(launch, lost_calls(run))
    _check_deaf(run)


def _check_deaf(run: Simulation) -> None:
    """What was under way when it finished changes nothing; an answer to nothing is a bug, and is told as one."""
    assert run.cancel() == []
    for late in run.stopped_timers:
        if late.node == "" or late.node in run.engine.by_path:
            assert run.do(TimerFired(late.node, late.attempt, late.try_)) == []
    for closed in run.heard:
        if closed.node in run.engine.by_path:
            assert run.do(closed) == []
    for path, phase in run.books.ends.items():
        if phase == "SUCCEEDED" and run.engine.by_path[path].kind == "task":
            with pytest.raises(IllegalMove, match="SUCCEEDED"):
                run.engine.step(TaskSucceeded(path, 1, 1, {}, 2), run.at)


@given(launches(), foul, bounds, st.integers(0, 2**32))
@moderate
def test_the_same_events_give_the_same_commands(launch: Launch, weather: Weather, limits: Limits, seed: int) -> None:
    run, again = start(launch, limits), start(launch, limits)
    drive(run, weather, Random(seed))
    drive(again, weather, Random(seed))
    assert again.script == run.script
    assert again.issued == run.issued


@given(launches(), foul, bounds, chances)
@moderate
def test_what_failed_succeeds_when_it_is_tried_again_in_good_weather(
    launch: Launch, weather: Weather, limits: Limits, random: Random
) -> None:
    run = start(launch, limits)
    drive(run, weather, random)
    assert run.finish is not None
    event(run.finish.phase)
    if run.finish.phase == "SUCCEEDED" or (run.finish.error or {}).get("code") == "DynamicTooDeep":
        return
    if random.randrange(2):
        run.reload()
    run.retry()
    drive(run, Weather(restores=10, timers_wait=True), random)
    check_end(run, launch)
