"""Random schedules of an execution: events in any order, faults, and requests of users."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random

from hypothesis import strategies as st

from flytemp_worker.engine.messages import TimerFired
from flytemp_worker.node_kinds.map_state import MapRun

from .reference_interpreter import said
from .simulation import Limits, Simulation

frequent = st.sampled_from([0, 0, 10, 30])  # per cent
rare = st.sampled_from([0, 0, 0, 3, 10])


@dataclass(frozen=True)
class Faults:
    """Probability of each fault, in per cent of the events. ``cancel_at`` is a number of actions.

    With ``timers_wait``, timers fire only if no other event is possible.
    """

    fails: int = 0
    times_out: int = 0
    fails_system: int = 0
    lost: int = 0
    stopped_outside: int = 0
    fails_for_good: int = 0
    fails_system_for_good: int = 0
    deadlines_pass: int = 0  # deadlines, time-outs of workflows and gates
    rejected: int = 0
    retried: int = 0
    too_large: int = 0
    restores: int = 0
    holds: int = 0
    pauses: int = 0
    timers_wait: bool = False
    cancel_at: int | None = None


no_faults = st.builds(Faults, too_large=frequent, restores=frequent, holds=rare, pauses=rare, timers_wait=st.booleans())
any_faults = st.builds(
    Faults,
    *[frequent, rare, rare, frequent, rare, rare, rare, rare, rare, rare],
    too_large=rare,
    restores=rare,
    holds=rare,
    pauses=rare,
    timers_wait=st.booleans(),
    cancel_at=st.sampled_from([None, None, None, 2, 5, 9, 14, 20]),
)
bounds = st.builds(
    Limits,
    st.sampled_from([0, 1, 2, 5, 16]),
    st.sampled_from([1, 3]),
    st.sampled_from([1_000, 3, 2, 1]),
    st.sampled_from([50, 2]),
)

MAX_ACTIONS = 4_000

Action = Callable[[], object]


def drive(run: Simulation, faults: Faults, random: Random) -> None:
    """Send events for the commands, in any order, until the execution has finished."""
    actions = 0
    while run.finish is None:
        assert actions < MAX_ACTIONS, f"the execution does not end: {run.phases}"
        one = random.choice(list(run.everything()))
        if actions == faults.cancel_at:
            run.cancel()
        elif one.finish is None and random.randrange(100) < faults.restores:
            one.restore()
        elif one.finish is None and random.randrange(100) < faults.holds:
            one.do("hold")
        elif random.randrange(100) < faults.pauses:
            run.resume() if run.observed.paused else run.pause()
        elif faults.retried and random.randrange(100) < faults.retried:
            run.retry(*_some_failed(run, random))
        elif random.randrange(6) == 0 and _repeat_event(one, random):
            pass
        else:
            _act(run, faults, random)
        actions += 1


def _some_failed(run: Simulation, random: Random) -> list[str]:
    failed = [path for path, phase in run.phases.items() if phase in ("FAILED", "TIMED_OUT")]
    return random.sample(failed, 1) if failed and random.randrange(2) else []


def _repeat_event(one: Simulation, random: Random) -> bool:
    """Repeat an event of something that has ended; it must change nothing."""
    late = [timer for timer in one.stopped_timers if not _runs_again(one, timer.node)]
    if late and one.finish is None:
        timer = random.choice(late)
        one.stopped_timers.remove(timer)
        assert one.do(TimerFired(timer.node, timer.attempt, timer.try_)) == []
    elif one.reported and one.finish is None:
        closed = one.reported.pop()
        if closed.node in one.engine.by_path:
            assert one.do(closed) == []
    return bool(late or one.reported)


def _runs_again(one: Simulation, path: str) -> bool:
    """Return True if the timer may be a new one with the same key, because its node was retried."""
    return path in one.timers or path in one.deadlines or path in one.timeouts or (path != "" and path not in one.engine.by_path)


def _act(run: Simulation, faults: Faults, random: Random) -> None:
    actions: list[Action] = []
    timers: list[Action] = []
    for one in run.everything():
        if one.finish is None:
            actions += _actions(one, faults, random)
            timers += _timers(one, faults, random)
            if random.randrange(100) < faults.deadlines_pass:
                timers += _deadlines(one)
        actions += _chunk_actions(one, faults, random)
    actions += _answers(run, faults, random)
    if not faults.timers_wait or not actions:
        actions += timers
    if actions:
        random.choice(actions)()
    elif any(one.engine.holding for one in run.everything()):
        next(one for one in run.everything() if one.engine.holding).restore()
    else:
        assert run.observed.paused, f"nothing is in flight, and the execution has not finished: {run.phases}"
        run.resume()


def _actions(one: Simulation, faults: Faults, random: Random) -> list[Action]:
    actions: list[Action] = [partial(_answer, one, path, faults, random) for path in one.in_flight]
    actions += [partial(one.complete_io, path) for path in one.requested]
    actions += [partial(_close, one, path, faults, random) for path in one.executions]
    return actions


def _chunk_actions(one: Simulation, faults: Faults, random: Random) -> list[Action]:
    actions: list[Action] = []
    for (path, number), chunk in one.chunks.items():
        if chunk.released:
            actions.append(partial(one.report_release, path, number))
        if chunk.finish is not None:
            actions.append(partial(one.close_chunk, path, number))
        elif random.randrange(300) < faults.lost:
            actions.append(partial(one.lose_chunk, path, number))
    return actions


def _timers(one: Simulation, faults: Faults, random: Random) -> list[Action]:
    def fires(path: str) -> bool:
        return path not in one.engine.waiting or random.randrange(100) < faults.deadlines_pass

    return [partial(one.fire, path) for path in one.timers if fires(path)]


def _deadlines(one: Simulation) -> list[Action]:
    actions: list[Action] = [partial(one.fire, path, "deadline") for path in one.deadlines]
    return actions + [partial(one.fire, path, "timeout") for path in one.timeouts]


def _answers(run: Simulation, faults: Faults, random: Random) -> list[Action]:
    """Return answers to waiting gates: by path for gates of the execution itself, or by name."""
    actions: list[Action] = []
    for one in run.everything():
        for path, node in one.engine.waiting.items():
            assert node.plan.gate is not None
            named = path if one is run and random.randrange(2) else node.plan.gate["name"]
            if node.plan.gate["kind"] == "input":
                actions.append(partial(run.answer, named, said(node.plan.gate["name"])))
            else:
                approved = random.randrange(100) >= faults.rejected
                actions.append(partial(run.answer, named, approved=approved))
    return actions


def _close(one: Simulation, path: str, faults: Faults, random: Random) -> None:
    if path in one.stopping and random.randrange(2):
        one.close(path, "ABORTED")
    elif random.randrange(100) < faults.fails + faults.fails_for_good:
        error = {"kind": "USER", "code": random.choice(["ValueError", "Timeout"]), "message": "no good"}
        one.close(path, random.choice(["FAILED", "TIMED_OUT"]), error=error if random.randrange(2) else None)
    else:
        one.close(path, inline=random.randrange(100) >= faults.too_large)


def _answer(run: Simulation, path: str, faults: Faults, random: Random) -> None:
    if path in run.stopping and random.randrange(2):
        run.stopped(path)
        return
    drawn = random.randrange(100)
    items = run.in_flight[path].items
    some = None if items is None else tuple(n for n in range(len(items)) if random.randrange(2)) or (0,)
    outcomes: list[tuple[int, Action]] = [
        (faults.fails, lambda: run.fail(path, failed_items=some)),
        (faults.times_out, lambda: run.fail(path, "Timeout")),
        (faults.fails_system, lambda: run.fail(path, "StoreError", kind="SYSTEM")),
        (faults.lost, lambda: run.lose(path)),
        (faults.stopped_outside, lambda: run.stopped(path)),
        (faults.fails_for_good, lambda: run.fail(path, retryable=False, failed_items=some)),
        (faults.fails_system_for_good, lambda: run.fail(path, "CorruptData", kind="SYSTEM", retryable=False)),
        (faults.too_large, lambda: run.succeed(path, inline=False)),
    ]
    for likelihood, send in outcomes:
        if drawn < likelihood:
            send()
            return
        drawn -= likelihood
    run.succeed(path)


def failed_calls(run: Simulation) -> frozenset[str]:
    """Return the failed calls of maps, as paths of their items; their outputs are null."""
    lost: set[str] = set(run.observed.lost)
    for node in run.engine.nodes():
        if not isinstance(node.scope, MapRun) or node.phase == "SUCCEEDED" or node.index is None:
            continue
        of = node.path.rpartition(".")[0]
        size = node.calls
        failed = (node.state.error or {}).get("failed_items", range(size))
        lost |= {f"{of}.{node.index + number}" for number in failed}
    return frozenset(lost)
