"""Checks of a simulation: what it records of each event, and what it checks of each command."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from flytemp_worker.engine.messages import (
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
from flytemp_worker.engine.phases import NodePhase

from .invariants import Budget, attempts_before, check_start

if TYPE_CHECKING:
    from .simulation import Simulation

P = NodePhase
DEADLINE, TIMEOUT = (0, 0), (0, -1)


# ------------------------------------------------------------------------------------------ events


def record(sim: Simulation, event: Event) -> NodePhase | None:
    """Record an event; return the phase that its node must have afterwards, if that is certain."""
    observed = sim.observed
    match event:
        case TaskSucceeded() | TaskFailed() | TaskLost() | TaskCancelled():
            return _settle(sim, event)
        case TimerFired():
            _fired(sim, event)
        case IOCompleted(node=path):
            assert sim.requested.pop(path).operation == event.operation
            if event.error is not None:
                observed.failed_io.add(path)
        case ChildClosed(chunk=chunk):
            (_closed if chunk == -1 else _chunk_closed)(sim, event)
        case SlotsReleased():
            _slots_released(sim, event)
        case GateAnswered():
            observed.answers.append(event.answer)
        case PauseRequested():
            observed.paused = True
        case ResumeRequested():
            observed.paused = False
        case CancelRequested() if sim.finish is None:
            observed.cancelled = True
    return None


def _settle(sim: Simulation, event: TaskSucceeded | TaskFailed | TaskLost | TaskCancelled) -> NodePhase:
    observed, path = sim.observed, event.node
    run, stopping = sim.in_flight.pop(path), path in sim.stopping
    sim.stopping.discard(path)
    if isinstance(event, TaskSucceeded):
        if run.task in sim.stored.dynamics:
            return P.CANCELLING if stopping else P.RUNNING
        observed.ends[path] = P.SUCCEEDED
        return P.SUCCEEDED
    system = not isinstance(event, TaskFailed) or event.error["kind"] == "SYSTEM"
    if stopping and system:
        return P.TIMED_OUT if (path, "deadline") in observed.fired else P.ABORTED
    budget = observed.budgets[path]
    retryable = not isinstance(event, TaskFailed) or event.error["retryable"]
    if system and retryable and budget.lost + 1 < sim.limits.max_system_tries:
        budget.lost, budget.try_ = budget.lost + 1, budget.try_ + 1
        return P.BACKOFF
    if not system and retryable and not stopping and budget.attempt - budget.base <= observed.retries(sim, path):
        observed.budgets[path] = Budget(budget.attempt + 1, budget.base)
        return P.BACKOFF
    timed_out = isinstance(event, TaskFailed) and not (system and retryable) and event.error["code"] == "Timeout"
    observed.ends[path] = P.TIMED_OUT if timed_out else P.FAILED
    return observed.ends[path]


def _fired(sim: Simulation, event: TimerFired) -> None:
    key = (event.attempt, event.try_)
    which, timers = {DEADLINE: ("deadline", sim.deadlines), TIMEOUT: ("timeout", sim.timeouts)}.get(key, ("timer", sim.timers))
    timer = timers.get(event.node)
    if timer is not None and (timer.attempt, timer.try_) == key:
        del timers[event.node]
        if which != "deadline" or sim.engine.by_path[event.node].phase is not P.CANCELLING:  # otherwise it is stopping already
            sim.observed.fired.add((event.node, which))


def _closed(sim: Simulation, event: ChildClosed) -> None:
    start = sim.executions.get(event.node)
    if start is None or start.attempt != event.attempt:
        return  # reported before
    del sim.executions[event.node]
    sim.reported.append(event)
    stopping = event.node in sim.stopping
    sim.stopping.discard(event.node)
    if event.phase == "SUCCEEDED":
        sim.observed.ends[event.node] = P.SUCCEEDED
    elif not stopping:
        code = (event.error or {}).get("code")
        sim.observed.ends[event.node] = P.TIMED_OUT if code == "Timeout" else P.FAILED


def _chunk_closed(sim: Simulation, event: ChildClosed) -> None:
    key = (event.node, event.chunk)
    chunk = sim.chunks.get(key)
    if chunk is None or chunk.command.attempt != event.attempt:
        return  # reported before
    del sim.chunks[key]
    sim.reported.append(event)
    sim.stopping.discard(f"{event.node}/{event.chunk}")
    if event.phase != "LOST":
        sim.observed.ended_chunks.append(chunk)


def _slots_released(sim: Simulation, event: SlotsReleased) -> None:
    chunk = sim.chunks.get((event.node, event.chunk))
    if chunk is not None and chunk.command.attempt == event.attempt:
        chunk.granted = min(chunk.granted, event.width)


# ---------------------------------------------------------------------------------------- commands


def apply(sim: Simulation, commands: list[Command]) -> None:
    for command in commands:
        assert sim.finish is None, "a command follows Finish"
        _APPLY[type(command)](sim, command)


def _finish(sim: Simulation, command: Finish) -> None:
    for under_way in (sim.in_flight, sim.timers, sim.deadlines, sim.timeouts, sim.requested, sim.executions, sim.chunks):
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
    assert command.node not in sim.requested
    assert command.node not in sim.in_flight
    sim.requested[command.node] = command
    if command.operation == "inputs":  # its attempt has begun
        sim.observed.budgets.setdefault(command.node, Budget(attempts_before(sim) + 1, attempts_before(sim))).begun = True


def _run(sim: Simulation, run: RunTask) -> None:
    assert not run.resumed
    budget = sim.observed.issue(sim, run.node, run.attempt, run.try_)
    assert (run.attempt, run.try_) == (budget.attempt, budget.try_)
    assert run.node not in sim.in_flight
    assert run.node not in sim.timers
    check_start(sim, run.node)
    sim.in_flight[run.node] = run
    limit = sim.limits.max_parallelism if sim.observed.width is None else sim.observed.width
    assert not limit or len(sim.in_flight) + sim.allocated <= limit


def _timers(sim: Simulation, command: StartTimer | CancelTimer) -> dict[str, StartTimer]:
    return {DEADLINE: sim.deadlines, TIMEOUT: sim.timeouts}.get((command.attempt, command.try_), sim.timers)


def _start_timer(sim: Simulation, command: StartTimer) -> None:
    timers, path = _timers(sim, command), command.node
    assert command.seconds > 0
    assert path not in timers, f"{path} has the timer already: {timers[path]}"
    if timers is sim.timers:
        assert path not in sim.in_flight
        budget = sim.observed.budgets.get(path)
        if budget is not None and command.why.startswith(("try", "attempt")):
            assert (command.attempt, command.try_) == (budget.attempt, budget.try_)
    timers[path] = command


def _start_child(sim: Simulation, command: StartChild) -> None:
    assert not command.resumed
    assert command.node not in sim.executions
    budget = sim.observed.issue(sim, command.node, command.attempt, 1)
    assert command.attempt == budget.attempt
    check_start(sim, command.node)
    sim.executions[command.node] = command


def _start_chunk(sim: Simulation, command: StartChunk) -> None:
    from .simulation import ChunkSimulation

    key = (command.node, command.chunk)
    assert not command.resumed
    assert key not in sim.chunks
    name = f"{command.node}/{command.chunk}"
    assert (name, command.attempt, 0) not in sim.observed.tries, f"chunk {name}, attempt {command.attempt}, was started before"
    sim.observed.tries.add((name, command.attempt, 0))
    assert command.count > 0
    assert command.width > 0
    check_start(sim, command.node)
    limit = sim.limits.max_parallelism if sim.observed.width is None else sim.observed.width
    assert not limit or len(sim.in_flight) + sim.allocated + command.width <= limit
    sim.chunks[key] = ChunkSimulation(sim, command)


def _cancel_child(sim: Simulation, command: CancelChild) -> None:
    assert command.reason
    if command.chunk == -1:
        assert sim.executions[command.node].attempt == command.attempt
        assert command.node not in sim.stopping
        sim.stopping.add(command.node)
        return
    chunk = sim.chunks[command.node, command.chunk]
    assert chunk.command.attempt == command.attempt
    assert f"{command.node}/{command.chunk}" not in sim.stopping
    sim.stopping.add(f"{command.node}/{command.chunk}")
    if chunk.finish is None:
        chunk.cancel(command.reason)


def _broadcast(sim: Simulation, command: BroadcastToChunks) -> None:
    for chunk in list(sim.chunks.values()):
        if chunk.finish is not None:
            continue
        match command.message:
            case {"answer": answer}:
                said = dict(answer)
                chunk.do(GateAnswered(said.pop("gate"), said))
            case {"pause": pause}:
                chunk.do(PauseRequested(pause["by"], pause["reason"]))
            case {"resume": resumption}:
                chunk.do(ResumeRequested(resumption["by"]))


def _increase(sim: Simulation, command: IncreaseAllocation) -> None:
    chunk = sim.chunks[command.node, command.chunk]
    assert chunk.command.attempt == command.attempt
    assert command.width > chunk.granted
    chunk.granted = command.width
    limit = sim.limits.max_parallelism if sim.observed.width is None else sim.observed.width
    assert not limit or len(sim.in_flight) + sim.allocated <= limit
    if chunk.finish is None:
        chunk.observed.width = command.width
        chunk.do(AllocationIncreased(command.width))


def _release(sim: Simulation, command: ReleaseSlots) -> None:
    from .simulation import ChunkSimulation

    assert isinstance(sim, ChunkSimulation)
    assert len(sim.in_flight) <= command.width
    assert sim.observed.width is not None
    assert command.width < sim.observed.width
    sim.released.append(command.width)


_APPLY: dict[type, Callable[[Simulation, Any], None]] = {
    RunTask: _run, CancelTask: _cancel_task, StartTimer: _start_timer, CancelTimer: _cancel_timer, RequestIO: _ask,
    StartChild: _start_child, StartChunk: _start_chunk, CancelChild: _cancel_child, BroadcastToChunks: _broadcast,
    IncreaseAllocation: _increase, ReleaseSlots: _release, Finish: _finish,
}  # fmt: skip


# ----------------------------------------------------------------------------------------- restores


def apply_resumed(sim: Simulation, commands: list[Command]) -> None:
    """Check the commands of a restored engine: first it repeats what was in flight, then it may issue more."""
    tasks = {c.node: c for c in commands if isinstance(c, RunTask) and c.resumed}
    assert {path: replace(run, resumed=False) for path, run in tasks.items()} == sim.in_flight
    executions = {c.node: c for c in commands if isinstance(c, StartChild) and c.resumed}
    assert executions.keys() == sim.executions.keys()
    assert all(child.attempt == sim.executions[path].attempt for path, child in executions.items())
    chunks = {(c.node, c.chunk): c for c in commands if isinstance(c, StartChunk) and c.resumed}
    known = {key: replace(chunk.command, width=chunk.granted) for key, chunk in sim.chunks.items()}
    assert {key: replace(chunk, resumed=False) for key, chunk in chunks.items()} == known
    stopped = {c.node for c in commands if isinstance(c, CancelTask)}
    stopped |= {c.node if c.chunk == -1 else f"{c.node}/{c.chunk}" for c in commands if isinstance(c, CancelChild)}
    assert stopped == sim.stopping
    asked = {c.node: c.operation for c in commands if isinstance(c, RequestIO)}
    assert {path: ask.operation for path, ask in sim.requested.items()}.items() <= asked.items()
    for timers in (sim.timers, sim.deadlines, sim.timeouts):
        again = {c.node: c for c in commands if isinstance(c, StartTimer) and _timers(sim, c) is timers and "resumed" in c.why}
        assert again.keys() == timers.keys()
        assert all(0 < timer.seconds <= timers[path].seconds for path, timer in again.items())
        timers.clear()
    sim.requested.clear()
    apply(sim, [command for command in commands if not _is_repeated(command)])


def _is_repeated(command: Command) -> bool:
    """Return True if the command repeats one that was recorded."""
    return isinstance(command, CancelTask | CancelChild) or getattr(command, "resumed", False)
