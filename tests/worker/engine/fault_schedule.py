"""What befalls an execution: answers in any order, misfortunes, requests of people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random

from hypothesis import strategies as st

from flytemp_worker.engine import TimerFired

from .reference_interpreter import said
from .simulation import Limits, Simulation

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
    limits_pass: int = 0  # deadlines, time-outs of workflows and gates
    rejected: int = 0
    retried: int = 0
    too_large: int = 0
    restores: int = 0
    holds: int = 0
    pauses: int = 0
    timers_wait: bool = False
    cancel_at: int | None = None


fair = st.builds(Weather, too_large=often, restores=often, holds=seldom, pauses=seldom, timers_wait=st.booleans())
foul = st.builds(
    Weather,
    *[often, seldom, seldom, often, seldom, seldom, seldom, seldom, seldom, seldom],
    too_large=seldom,
    restores=seldom,
    holds=seldom,
    pauses=seldom,
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

MOST_ACTIONS = 4_000

Deed = Callable[[], object]


def drive(run: Simulation, weather: Weather, random: Random) -> None:
    """Answer what is commanded, in any order, until the execution is finished."""
    actions = 0
    while run.finish is None:
        assert actions < MOST_ACTIONS, f"it never ends: {run.phases}"
        one = random.choice(list(run.everything()))
        if actions == weather.cancel_at:
            run.cancel()
        elif one.finish is None and random.randrange(100) < weather.restores:
            one.restore()
        elif one.finish is None and random.randrange(100) < weather.holds:
            one.do("hold")
        elif random.randrange(100) < weather.pauses:
            run.resume() if run.books.paused else run.pause()
        elif weather.retried and random.randrange(100) < weather.retried:
            run.retry(*_some_failed(run, random))
        elif random.randrange(6) == 0 and _late(one, random):
            pass
        else:
            _go_on(run, weather, random)
        actions += 1


def _some_failed(run: Simulation, random: Random) -> list[str]:
    failed = [path for path, phase in run.phases.items() if phase in ("FAILED", "TIMED_OUT")]
    return random.sample(failed, 1) if failed and random.randrange(2) else []


def _late(one: Simulation, random: Random) -> bool:
    """Something that was over is heard once more, and changes nothing."""
    late = [timer for timer in one.stopped_timers if not _runs_again(one, timer.node)]
    if late and one.finish is None:
        timer = random.choice(late)
        one.stopped_timers.remove(timer)
        assert one.do(TimerFired(timer.node, timer.attempt, timer.try_)) == []
    elif one.heard and one.finish is None:
        closed = one.heard.pop()
        if closed.node in one.engine.by_path:
            assert one.do(closed) == []
    return bool(late or one.heard)


def _runs_again(one: Simulation, path: str) -> bool:
    """Its timer may be another by now: a node that is tried again has new ones of the same key."""
    return path in one.timers or path in one.deadlines or path in one.timeouts or (path != "" and path not in one.engine.by_path)


def _go_on(run: Simulation, weather: Weather, random: Random) -> None:
    deeds: list[Deed] = []
    patient: list[Deed] = []
    for one in run.everything():
        if one.finish is None:
            deeds += _deeds(one, weather, random)
            patient += _timers(one, weather, random)
            if random.randrange(100) < weather.limits_pass:
                patient += _limits(one)
        deeds += _ends_of_parts(one, weather, random)
    deeds += _answers(run, weather, random)
    if not weather.timers_wait or not deeds:
        deeds += patient
    if deeds:
        random.choice(deeds)()
    elif any(one.engine.holding for one in run.everything()):
        next(one for one in run.everything() if one.engine.holding).restore()
    else:
        assert run.books.paused, f"nothing is in flight and nothing follows: {run.phases}"
        run.resume()


def _deeds(one: Simulation, weather: Weather, random: Random) -> list[Deed]:
    deeds: list[Deed] = [partial(_answer, one, path, weather, random) for path in one.in_flight]
    deeds += [partial(one.tell, path) for path in one.asked]
    deeds += [partial(_close, one, path, weather, random) for path in one.executions]
    return deeds


def _ends_of_parts(one: Simulation, weather: Weather, random: Random) -> list[Deed]:
    deeds: list[Deed] = []
    for (path, number), part in one.parts.items():
        if part.given_back:
            deeds.append(partial(one.hear_part, path, number))
        if part.finish is not None:
            deeds.append(partial(one.close_part, path, number))
        elif random.randrange(300) < weather.lost:
            deeds.append(partial(one.lose_part, path, number))
    return deeds


def _timers(one: Simulation, weather: Weather, random: Random) -> list[Deed]:
    def fires(path: str) -> bool:
        return path not in one.engine.waiting or random.randrange(100) < weather.limits_pass

    return [partial(one.fire, path) for path in one.timers if fires(path)]


def _limits(one: Simulation) -> list[Deed]:
    deeds: list[Deed] = [partial(one.fire, path, "deadline") for path in one.deadlines]
    return deeds + [partial(one.fire, path, "timeout") for path in one.timeouts]


def _answers(run: Simulation, weather: Weather, random: Random) -> list[Deed]:
    """Answers to gates that wait anywhere, by path where they are the execution's own, or by name; now and then early."""
    deeds: list[Deed] = []
    for one in run.everything():
        for path, node in one.engine.waiting.items():
            assert node.plan.gate is not None
            named = path if one is run and random.randrange(2) else node.plan.gate["name"]
            if node.plan.gate["kind"] == "input":
                deeds.append(partial(run.answer, named, said(node.plan.gate["name"])))
            else:
                approved = random.randrange(100) >= weather.rejected
                deeds.append(partial(run.answer, named, approved=approved))
    return deeds


def _close(one: Simulation, path: str, weather: Weather, random: Random) -> None:
    if path in one.stopping and random.randrange(2):
        one.close(path, "ABORTED")
    elif random.randrange(100) < weather.fails + weather.fails_for_good:
        error = {"kind": "USER", "code": random.choice(["ValueError", "Timeout"]), "message": "no good"}
        one.close(path, random.choice(["FAILED", "TIMED_OUT"]), error=error if random.randrange(2) else None)
    else:
        one.close(path, travels=random.randrange(100) >= weather.too_large)


def _answer(run: Simulation, path: str, weather: Weather, random: Random) -> None:
    if path in run.stopping and random.randrange(2):
        run.stopped(path)
        return
    fate = random.randrange(100)
    items = run.in_flight[path].items
    some = None if items is None else tuple(n for n in range(len(items)) if random.randrange(2)) or (0,)
    fates: list[tuple[int, Deed]] = [
        (weather.fails, lambda: run.fail(path, failed_items=some)),
        (weather.times_out, lambda: run.fail(path, "Timeout")),
        (weather.breaks, lambda: run.fail(path, "StoreError", kind="SYSTEM")),
        (weather.lost, lambda: run.lose(path)),
        (weather.stopped_outside, lambda: run.stopped(path)),
        (weather.fails_for_good, lambda: run.fail(path, retryable=False, failed_items=some)),
        (weather.breaks_for_good, lambda: run.fail(path, "CorruptData", kind="SYSTEM", retryable=False)),
        (weather.too_large, lambda: run.succeed(path, travels=False)),
    ]
    for likelihood, befalls in fates:
        if fate < likelihood:
            befalls()
            return
        fate -= likelihood
    run.succeed(path)


def lost_calls(run: Simulation) -> frozenset[str]:
    """The calls of maps that failed, as paths of their items: their outputs are null."""
    lost: set[str] = set(run.books.lost)
    for node in run.engine.nodes():
        if node.scope.kind != "map" or node.phase == "SUCCEEDED" or node.index is None:
            continue
        of = node.path.rpartition(".")[0]
        size = node.extra.get("size", 1)
        failed = (node.error or {}).get("failed_items", range(size))
        lost |= {f"{of}.{node.index + number}" for number in failed}
    return frozenset(lost)
