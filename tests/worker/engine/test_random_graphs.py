"""Properties that hold for any graph, faults and order of events. `Simulation` checks most of them at every step."""

from __future__ import annotations

import os
from random import Random

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from flytemp_worker.engine.messages import TaskSucceeded, TimerFired
from flytemp_worker.engine.phases import IllegalMove

from .fault_schedule import Faults, any_faults, bounds, drive, failed_calls, no_faults
from .random_programs import Launch, launches
from .reference_interpreter import Failed, Json, World, evaluate
from .simulation import Limits, Simulation

# FLYTEMP_ENGINE_EXAMPLES sets the number of examples of a longer search.
moderate = settings(
    max_examples=int(os.environ.get("FLYTEMP_ENGINE_EXAMPLES", "100")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
chances = st.integers(0, 2**32).map(Random)


def start(launch: Launch, limits: Limits, inline: bool = True) -> Simulation:
    return Simulation(launch.program, launch.inputs, inline=inline, limits=limits, dynamics=launch.dynamics)


def expected(launch: Launch, lost: frozenset[str] = frozenset()) -> dict[str, Json] | None:
    """Return the outputs by plain Python; None if the program itself fails."""
    try:
        return evaluate(launch.program, launch.program.name, launch.inputs, World(launch.dynamics, lost))
    except Failed:
        return None


def check_end(run: Simulation, launch: Launch) -> None:
    """Check that the execution ended as in plain Python, or at the limit of nested dynamic nodes."""
    assert run.finish is not None
    if run.finish.error is not None and run.finish.error["code"] == "DynamicTooDeep":
        assert run.limits.max_dynamic_depth == 2
        return
    wanted = expected(launch, failed_calls(run))
    if wanted is None:
        assert run.finish.phase == "FAILED"
        return
    assert run.outputs() == wanted
    assert set(run.phases.values()) <= {"SUCCEEDED", "SKIPPED"} or failed_calls(run)


@given(launches(), no_faults, bounds, st.booleans(), chances)
@moderate
def test_results_equal_those_of_plain_python(
    launch: Launch, faults: Faults, limits: Limits, inline: bool, random: Random
) -> None:
    run = start(launch, limits, inline)
    drive(run, faults, random)
    check_end(run, launch)


@given(launches(), any_faults, bounds, st.booleans(), chances)
@moderate
def test_every_execution_ends(launch: Launch, faults: Faults, limits: Limits, inline: bool, random: Random) -> None:
    run = start(launch, limits, inline)
    drive(run, faults, random)
    assert run.finish is not None
    event(run.finish.phase)
    if run.finish.phase == "SUCCEEDED":
        assert run.outputs() == expected(launch, failed_calls(run))
    _check_late_events(run)


def _check_late_events(run: Simulation) -> None:
    """Check that late events change nothing, and that an event without a command is illegal."""
    assert run.cancel() == []
    for late in run.stopped_timers:
        if late.node == "" or late.node in run.engine.by_path:
            assert run.do(TimerFired(late.node, late.attempt, late.try_)) == []
    for closed in run.reported:
        if closed.node in run.engine.by_path:
            assert run.do(closed) == []
    for path, phase in run.observed.ends.items():
        if phase == "SUCCEEDED" and run.engine.by_path[path].kind == "task":
            with pytest.raises(IllegalMove, match="SUCCEEDED"):
                run.engine.step(TaskSucceeded(path, 1, 1, {}, 2), run.at)


@given(launches(), any_faults, bounds, st.integers(0, 2**32))
@moderate
def test_the_same_events_give_the_same_commands(launch: Launch, faults: Faults, limits: Limits, seed: int) -> None:
    run, again = start(launch, limits), start(launch, limits)
    drive(run, faults, Random(seed))
    drive(again, faults, Random(seed))
    assert again.script == run.script
    assert again.issued == run.issued


@given(launches(), any_faults, bounds, chances)
@moderate
def test_failed_execution_succeeds_when_it_is_retried_without_faults(
    launch: Launch, faults: Faults, limits: Limits, random: Random
) -> None:
    run = start(launch, limits)
    drive(run, faults, random)
    assert run.finish is not None
    event(run.finish.phase)
    if run.finish.phase == "SUCCEEDED" or (run.finish.error or {}).get("code") == "DynamicTooDeep":
        return
    if random.randrange(2):
        run.reload()
    run.retry()
    drive(run, Faults(restores=10, timers_wait=True), random)
    check_end(run, launch)
