"""Any graph, any failures, any order of answers: what always holds. `Simulation` checks most of it at every step."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from flytemp_worker.engine import IllegalMove, TaskSucceeded, TimerFired

from .programs import AT_ONCE, evaluate, needs
from .random_programs import Launch, launches
from .simulation import Limits, Simulation

# FLYTEMP_ENGINE_EXAMPLES asks for a longer search than every run of the suite can afford.
moderate = settings(
    max_examples=int(os.environ.get("FLYTEMP_ENGINE_EXAMPLES", "200")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

often = st.sampled_from([0, 0, 10, 30])  # of a hundred
seldom = st.sampled_from([0, 0, 0, 3, 10])


@dataclass(frozen=True)
class Weather:
    """How likely each misfortune is, of a hundred answers; ``cancel_at`` counts actions. Where ``timers_wait``,
    they fire only when nothing else is left to happen."""

    fails: int = 0
    times_out: int = 0
    breaks: int = 0
    lost: int = 0
    stopped_outside: int = 0
    fails_for_good: int = 0
    breaks_for_good: int = 0
    too_large: int = 0
    restores: int = 0
    holds: int = 0
    timers_wait: bool = False
    cancel_at: int | None = None


fair = st.builds(Weather, too_large=often, restores=often, holds=seldom)
foul = st.builds(
    Weather,
    *[often, seldom, seldom, often, seldom, seldom, seldom],
    too_large=seldom,
    restores=seldom,
    holds=seldom,
    timers_wait=st.booleans(),
    cancel_at=st.sampled_from([None, None, 2, 5, 9, 14, 20]),
)
bounds = st.builds(Limits, st.sampled_from([0, 1, 2, 5]), st.sampled_from([1, 3]))


def drive(run: Simulation, weather: Weather, random: Random) -> None:
    """Answer what is commanded, in any order, until the execution is finished."""
    actions = 0
    while run.finish is None:
        if actions == weather.cancel_at:
            run.cancel()
        elif random.randrange(100) < weather.restores:
            run.restore()
        elif random.randrange(100) < weather.holds:
            run.do("hold")
        elif run.stopped_timers and random.randrange(4) == 0:
            late = run.stopped_timers.pop()
            assert run.do(TimerFired(late.node, late.attempt, late.try_)) == []
        elif not (run.in_flight or run.timers):
            assert run.engine.holding, "nothing is in flight and nothing follows"
            run.restore()
        else:
            _answer(run, weather, random)
        actions += 1


def _answer(run: Simulation, weather: Weather, random: Random) -> None:
    waiting = () if weather.timers_wait and run.in_flight else run.timers
    path = random.choice([*run.in_flight, *waiting])
    if path in run.timers:
        run.fire(path)
        return
    if path in run.stopping and random.randrange(2):
        run.stopped(path)
        return
    fate = random.randrange(100)
    fates: list[tuple[int, Callable[[], object]]] = [
        (weather.fails, lambda: run.fail(path)),
        (weather.times_out, lambda: run.fail(path, "Timeout")),
        (weather.breaks, lambda: run.fail(path, "StoreError", kind="SYSTEM")),
        (weather.lost, lambda: run.lose(path)),
        (weather.stopped_outside, lambda: run.stopped(path)),
        (weather.fails_for_good, lambda: run.fail(path, retryable=False)),
        (weather.breaks_for_good, lambda: run.fail(path, "CorruptData", kind="SYSTEM", retryable=False)),
        (weather.too_large, lambda: run.succeed(path, travels=False)),
    ]
    for likelihood, befalls in fates:
        if fate < likelihood:
            befalls()
            return
        fate -= likelihood
    run.succeed(path)


@given(launches(), fair, bounds, st.booleans(), st.randoms(use_true_random=False))
@moderate
def test_what_succeeds_gives_what_plain_python_gives(
    launch: Launch, weather: Weather, limits: Limits, inline: bool, random: Random
) -> None:
    run = Simulation(launch.program, launch.inputs, inline=inline, limits=limits)
    drive(run, weather, random)
    assert run.outputs() == evaluate(launch.program, launch.program.name, launch.inputs)
    assert set(run.phases.values()) <= {"SUCCEEDED"}


@given(launches(), foul, bounds, st.booleans(), st.randoms(use_true_random=False))
@moderate
def test_every_execution_ends_in_order(launch: Launch, weather: Weather, limits: Limits, inline: bool, random: Random) -> None:
    run = Simulation(launch.program, launch.inputs, inline=inline, limits=limits)
    drive(run, weather, random)
    assert run.finish is not None
    event(run.finish.phase)
    if run.engine.cancelled is not None:
        assert run.finish.phase == "ABORTED"
        assert run.finish.reason == "enough"
    elif run.failed:
        assert run.finish.phase == "FAILED"
        assert run.finish.error is not None
        assert run.finish.error["node"] in run.failed
    else:
        assert run.outputs() == evaluate(launch.program, launch.program.name, launch.inputs)
    _check_phases(run)
    _check_deaf(run)


def _check_phases(run: Simulation) -> None:
    """Each final phase is justified by what the simulation knows of the node and of those around it."""
    phases = run.phases
    goes_on = _scopes_that_go_on(run)
    for path, phase in phases.items():
        scope = path.rpartition(".")[0]
        needed = [phases[f"{scope}.{node}".lstrip(".")] for node in needs(run.node(path))]
        within = [phases[other] for other in phases if other.rpartition(".")[0] == path]
        is_task = run.node(path).kind == "task"
        match phase:
            case "SUCCEEDED":
                assert path in run.succeeded if is_task else set(within) <= {"SUCCEEDED"}
            case "FAILED" | "TIMED_OUT":
                assert path in run.failed if is_task else any(one.startswith(f"{path}.") for one in run.failed)
            case "SKIPPED":
                assert path not in run.succeeded
                assert not within
                assert scope not in goes_on or set(needed) - {"SUCCEEDED"}
            case _:
                assert phase == "ABORTED"
                assert scope not in goes_on
        if phase != "SKIPPED":
            assert set(needed) <= {"SUCCEEDED"}


def _scopes_that_go_on(run: Simulation) -> set[str]:
    """The scopes that nothing could stop: neither they nor any around them fail at once, and nobody cancelled."""
    if run.engine.cancelled is not None:
        return set()
    scopes = {"", *(path for path in run.phases if run.node(path).kind == "workflow")}

    def around(path: str) -> list[str]:
        parts = path.split(".") if path else []
        return ["", *(".".join(parts[: end + 1]) for end in range(len(parts)))]

    return {path for path in scopes if all(run.scope(one).failure_policy != AT_ONCE for one in around(path))}


def _check_deaf(run: Simulation) -> None:
    """What was under way when it finished changes nothing; an answer to nothing is a bug, and is told as one."""
    assert run.cancel() == []
    for late in run.stopped_timers:
        assert run.do(TimerFired(late.node, late.attempt, late.try_)) == []
    for path in run.succeeded:
        with pytest.raises(IllegalMove, match="SUCCEEDED"):
            run.engine.step(TaskSucceeded(path, 1, 1, {}, 2), run.at)


@given(launches(), foul, bounds, st.randoms(use_true_random=False))
@moderate
def test_the_same_events_give_the_same_commands(launch: Launch, weather: Weather, limits: Limits, random: Random) -> None:
    run = Simulation(launch.program, launch.inputs, limits=limits)
    drive(run, weather, random)
    again = Simulation(launch.program, launch.inputs, limits=limits)
    for action, _ in run.script[1:]:
        again.do(action)
    assert again.script == run.script
    assert again.issued == run.issued
