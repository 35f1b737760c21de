"""How a simulation enters events into its books, and what it checks of each command that it carries out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from flytemp_worker.engine import (
    AllocationIncreased,
    BroadcastToChunks,
    CancelChild,
    CancelRequested,
    CancelTask,
    CancelTimer,
    ChildClosed,
    Command,
    Event,
    Finish,
    GateAnswered,
    IncreaseAllocation,
    IOCompleted,
    NodePhase,
    PauseRequested,
    ReleaseSlots,
    RequestIO,
    ResumeRequested,
    RunTask,
    SlotsReleased,
    StartChild,
    StartChunk,
    StartTimer,
    TaskCancelled,
    TaskFailed,
    TaskLost,
    TaskSucceeded,
    TimerFired,
)

from .invariants import Budget, check_start

if TYPE_CHECKING:
    from .simulation import Simulation

P = NodePhase
DEADLINE, TIMEOUT = (0, 0), (0, -1)


# ------------------------------------------------------------------------------------------ events


def enter(sim: Simulation, event: Event) -> NodePhase | None:
    """Enter an event; the phase in which it must leave its node, where that is certain."""
    books = sim.books
    match event:
        case TaskSucceeded() | TaskFailed() | TaskLost() | TaskCancelled():
            return _settle(sim, event)
        case TimerFired():
            _fired(sim, event)
        case IOCompleted(node=path):
            assert sim.asked.pop(path).what == event.what
            if event.error is not None:
                books.refused.add(path)
        case ChildClosed(part=part):
            (_closed if part == -1 else _part_closed)(sim, event)
        case SlotsReleased():
            _part_gave_back(sim, event)
        case GateAnswered():
            books.answers.append(event.answer)
        case PauseRequested():
            books.paused = True
        case ResumeRequested():
            books.paused = False
        case CancelRequested() if sim.finish is None:
            books.cancelled = True
    return None


def _settle(sim: Simulation, event: TaskSucceeded | TaskFailed | TaskLost | TaskCancelled) -> NodePhase:
    books, path = sim.books, event.node
    run, stopping = sim.in_flight.pop(path), path in sim.stopping
    sim.stopping.discard(path)
    if isinstance(event, TaskSucceeded):
        if run.task in sim.stored.dynamics:
            return P.CANCELLING if stopping else P.RUNNING
        books.ends[path] = P.SUCCEEDED
        return P.SUCCEEDED
    system = not isinstance(event, TaskFailed) or event.error["kind"] == "SYSTEM"
    if stopping and system:
        return P.TIMED_OUT if (path, "deadline") in books.fired else P.ABORTED
    budget = books.budgets[path]
    retryable = not isinstance(event, TaskFailed) or event.error["retryable"]
    if system and retryable and budget.lost + 1 < sim.limits.max_system_tries:
        budget.lost, budget.try_ = budget.lost + 1, budget.try_ + 1
        return P.BACKOFF
    if not system and retryable and not stopping and budget.attempt - budget.base <= books.retries(sim, path):
        books.budgets[path] = Budget(budget.attempt + 1, budget.base)
        return P.BACKOFF
    timed_out = isinstance(event, TaskFailed) and not (system and retryable) and event.error["code"] == "Timeout"
    books.ends[path] = P.TIMED_OUT if timed_out else P.FAILED
    return books.ends[path]


def _fired(sim: Simulation, event: TimerFired) -> None:
    key = (event.attempt, event.try_)
    which, timers = {DEADLINE: ("deadline", sim.deadlines), TIMEOUT: ("timeout", sim.timeouts)}.get(key, ("timer", sim.timers))
    timer = timers.get(event.node)
    if timer is not None and (timer.attempt, timer.try_) == key:
        del timers[event.node]
        if which != "deadline" or sim.engine.by_path[event.node].phase is not P.CANCELLING:  # else it is stopped already
            sim.books.fired.add((event.node, which))


def _closed(sim: Simulation, event: ChildClosed) -> None:
    start = sim.executions.get(event.node)
    if start is None or start.attempt != event.attempt:
        return  # heard before
    del sim.executions[event.node]
    sim.heard.append(event)
    stopping = event.node in sim.stopping
    sim.stopping.discard(event.node)
    if event.phase == "SUCCEEDED":
        sim.books.ends[event.node] = P.SUCCEEDED
    elif not stopping:
        code = (event.error or {}).get("code")
        sim.books.ends[event.node] = P.TIMED_OUT if code == "Timeout" else P.FAILED


def _part_closed(sim: Simulation, event: ChildClosed) -> None:
    key = (event.node, event.part)
    part = sim.parts.get(key)
    if part is None or part.command.attempt != event.attempt:
        return  # heard before
    del sim.parts[key]
    sim.heard.append(event)
    sim.stopping.discard(f"{event.node}/{event.part}")
    if event.phase != "LOST":
        sim.books.part_ends.append(part)


def _part_gave_back(sim: Simulation, event: SlotsReleased) -> None:
    part = sim.parts.get((event.node, event.part))
    if part is not None and part.command.attempt == event.attempt:
        part.lent_to_it = min(part.lent_to_it, event.width)


# ---------------------------------------------------------------------------------------- commands


def carry_out(sim: Simulation, commands: list[Command]) -> None:
    for command in commands:
        assert sim.finish is None, "a command after Finish"
        _CARRIERS[type(command)](sim, command)


def _finish(sim: Simulation, command: Finish) -> None:
    for under_way in (sim.in_flight, sim.timers, sim.deadlines, sim.timeouts, sim.asked, sim.executions, sim.parts):
        assert not under_way
    sim.finish = command


def _cancel_task(sim: Simulation, command: CancelTask) -> None:
    run = sim.in_flight[command.node]
    assert (run.attempt, run.try_) == (command.attempt, command.try_)
    assert command.node not in sim.stopping
    sim.stopping.add(command.node)


def _cancel_timer(sim: Simulation, command: CancelTimer) -> None:
    timer = _timers(sim, command).pop(command.node)
    assert (timer.attempt, timer.try_) == (command.attempt, command.try_)
    sim.stopped_timers.append(timer)


def _ask(sim: Simulation, command: RequestIO) -> None:
    assert command.node not in sim.asked
    assert command.node not in sim.in_flight
    sim.asked[command.node] = command
    if command.what == "inputs":  # its attempt has begun
        sim.books.budgets.setdefault(command.node, Budget(sim.engine.base + 1, sim.engine.base)).begun = True


def _run(sim: Simulation, run: RunTask) -> None:
    assert not run.resumed
    budget = sim.books.issue(sim, run.node, run.attempt, run.try_)
    assert (run.attempt, run.try_) == (budget.attempt, budget.try_)
    assert run.node not in sim.in_flight
    assert run.node not in sim.timers
    check_start(sim, run.node)
    sim.in_flight[run.node] = run
    limit = sim.limits.max_parallelism if sim.books.width is None else sim.books.width
    assert not limit or len(sim.in_flight) + sim.lent <= limit


def _timers(sim: Simulation, command: StartTimer | CancelTimer) -> dict[str, StartTimer]:
    return {DEADLINE: sim.deadlines, TIMEOUT: sim.timeouts}.get((command.attempt, command.try_), sim.timers)


def _start_timer(sim: Simulation, command: StartTimer) -> None:
    timers, path = _timers(sim, command), command.node
    assert command.seconds > 0
    assert path not in timers, f"{path} has the timer already: {timers[path]}"
    if timers is sim.timers:
        assert path not in sim.in_flight
        budget = sim.books.budgets.get(path)
        if budget is not None and command.why.startswith(("try", "attempt")):
            assert (command.attempt, command.try_) == (budget.attempt, budget.try_)
    timers[path] = command


def _start_child(sim: Simulation, command: StartChild) -> None:
    assert not command.resumed
    assert command.node not in sim.executions
    budget = sim.books.issue(sim, command.node, command.attempt, 1)
    assert command.attempt == budget.attempt
    check_start(sim, command.node)
    sim.executions[command.node] = command


def _start_part(sim: Simulation, command: StartChunk) -> None:
    from .simulation import Part

    key = (command.node, command.part)
    assert not command.resumed
    assert key not in sim.parts
    name = f"{command.node}/{command.part}"
    assert (name, command.attempt, 0) not in sim.books.tries, f"part {name}, attempt {command.attempt}, was started before"
    sim.books.tries.add((name, command.attempt, 0))
    assert command.count > 0
    assert command.width > 0
    check_start(sim, command.node)
    limit = sim.limits.max_parallelism if sim.books.width is None else sim.books.width
    assert not limit or len(sim.in_flight) + sim.lent + command.width <= limit
    sim.parts[key] = Part(sim, command)


def _cancel_child(sim: Simulation, command: CancelChild) -> None:
    assert command.reason
    if command.part == -1:
        assert sim.executions[command.node].attempt == command.attempt
        assert command.node not in sim.stopping
        sim.stopping.add(command.node)
        return
    part = sim.parts[command.node, command.part]
    assert part.command.attempt == command.attempt
    assert f"{command.node}/{command.part}" not in sim.stopping
    sim.stopping.add(f"{command.node}/{command.part}")
    if part.finish is None:
        part.cancel(command.reason)


def _tell_parts(sim: Simulation, command: BroadcastToChunks) -> None:
    for part in list(sim.parts.values()):
        if part.finish is not None:
            continue
        match command.message:
            case {"answer": answer}:
                said = dict(answer)
                part.do(GateAnswered(said.pop("gate"), said))
            case {"pause": pause}:
                part.do(PauseRequested(pause["by"], pause["reason"]))
            case {"resume": resumption}:
                part.do(ResumeRequested(resumption["by"]))


def _lend_more(sim: Simulation, command: IncreaseAllocation) -> None:
    part = sim.parts[command.node, command.part]
    assert part.command.attempt == command.attempt
    assert command.width > part.lent_to_it
    part.lent_to_it = command.width
    limit = sim.limits.max_parallelism if sim.books.width is None else sim.books.width
    assert not limit or len(sim.in_flight) + sim.lent <= limit
    if part.finish is None:
        part.books.width = command.width
        part.do(AllocationIncreased(command.width))


def _give_back(sim: Simulation, command: ReleaseSlots) -> None:
    from .simulation import Part

    assert isinstance(sim, Part)
    assert len(sim.in_flight) <= command.width
    assert sim.books.width is not None
    assert command.width < sim.books.width
    sim.given_back.append(command.width)


_CARRIERS: dict[type, Callable[[Simulation, Any], None]] = {
    RunTask: _run, CancelTask: _cancel_task, StartTimer: _start_timer, CancelTimer: _cancel_timer, RequestIO: _ask,
    StartChild: _start_child, StartChunk: _start_part, CancelChild: _cancel_child, BroadcastToChunks: _tell_parts,
    IncreaseAllocation: _lend_more, ReleaseSlots: _give_back, Finish: _finish,
}  # fmt: skip


# ----------------------------------------------------------------------------------------- restores


def carry_on(sim: Simulation, commands: list[Command]) -> None:
    """What a restored engine commands first: all that was in flight, as it was, and then perhaps more."""
    tasks = {c.node: c for c in commands if isinstance(c, RunTask) and c.resumed}
    assert {path: replace(run, resumed=False) for path, run in tasks.items()} == sim.in_flight
    executions = {c.node: c for c in commands if isinstance(c, StartChild) and c.resumed}
    assert executions.keys() == sim.executions.keys()
    assert all(child.attempt == sim.executions[path].attempt for path, child in executions.items())
    parts = {(c.node, c.part): c for c in commands if isinstance(c, StartChunk) and c.resumed}
    known = {key: replace(part.command, width=part.lent_to_it) for key, part in sim.parts.items()}
    assert {key: replace(part, resumed=False) for key, part in parts.items()} == known
    stopped = {c.node for c in commands if isinstance(c, CancelTask)}
    stopped |= {c.node if c.part == -1 else f"{c.node}/{c.part}" for c in commands if isinstance(c, CancelChild)}
    assert stopped == sim.stopping
    asked = {c.node: c.what for c in commands if isinstance(c, RequestIO)}
    assert {path: ask.what for path, ask in sim.asked.items()}.items() <= asked.items()
    for timers in (sim.timers, sim.deadlines, sim.timeouts):
        again = {c.node: c for c in commands if isinstance(c, StartTimer) and _timers(sim, c) is timers and "resumed" in c.why}
        assert again.keys() == timers.keys()
        assert all(0 < timer.seconds <= timers[path].seconds for path, timer in again.items())
        timers.clear()
    sim.asked.clear()
    carry_out(sim, [command for command in commands if not _is_repeated(command)])


def _is_repeated(command: Command) -> bool:
    """It is in the books already."""
    return isinstance(command, CancelTask | CancelChild) or getattr(command, "resumed", False)
