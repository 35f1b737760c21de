"""A simulated platform: it sends the engine the events that a test chooses, and checks every command.

A test fails unless the following holds (see also `invariants`):

* a (node, attempt, try) is issued once; again only when it is resumed, and then with the same inputs;
* no node starts before its dependencies have succeeded, in a stopping scope, or in a paused execution;
* the number of tasks in flight, with the slots of chunks, never exceeds the limit;
* the user's and the platform's budgets are kept exactly;
* only what is in flight is stopped, only timers that run are stopped, each once;
* a final phase changes only by a manual retry; Finish is the last command, once, with nothing in flight.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from flytemp.spec.bindings import ITEMS, literal
from flytemp.spec.models import WorkflowDocument
from flytemp.spec.pages import from_pages, to_pages
from flytemp_worker.engine import capacity, snapshot
from flytemp_worker.engine.capacity import ChunkRole
from flytemp_worker.engine.machine import Engine
from flytemp_worker.engine.messages import (
    CancelRequested,
    ChildClosed,
    Command,
    Event,
    Finish,
    GateAnswered,
    IOCompleted,
    PauseRequested,
    RequestIO,
    ResumeRequested,
    RetryRequested,
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
from flytemp_worker.engine.plan import Plan
from flytemp_worker.node_kinds import REGISTRY, new_engine
from flytemp_worker.node_kinds.dynamics import sources
from flytemp_worker.node_kinds.map_chunks import chunk_engine

from . import command_checks, invariants
from .reference_interpreter import Generator, Json, compute, launched
from .stored import Stored

Answer = TaskSucceeded | TaskFailed | TaskLost | TaskCancelled
Action = Event | Literal["begin", "hold", "restore", "reload"]

_ABSENT: Any = object()


@dataclass(frozen=True)
class Limits:
    max_parallelism: int = 0
    max_system_tries: int = 3
    max_map_items: int = 1_000
    max_dynamic_depth: int = 50


class Simulation:
    """Simulated execution of ``program``.

    With ``inline``, the engine gets the launch's inputs as values. ``dynamics`` implement the dynamic tasks. ``chunks`` has
    the simulations of the running chunks of maps.
    """

    def __init__(
        self,
        program: WorkflowDocument,
        inputs: Mapping[str, Json] | None = None,
        *,
        inline: bool = True,
        limits: Limits | None = None,
        dynamics: Mapping[str, Generator] | None = None,
    ) -> None:
        self.program = program
        self.inline = inline
        self._open(Stored(program, inputs or {}, dynamics or {}), limits or Limits())
        self.do("begin")

    def _open(self, stored: Stored, limits: Limits, at: int = 1_000_000) -> None:
        self.stored = stored
        self.limits = limits
        self.at = at
        self.script: list[tuple[Action, int]] = []  # all actions, so that they can be repeated
        self.issued: list[list[Command]] = []  # the commands that followed
        self.in_flight: dict[str, RunTask] = {}
        self.stopping: set[str] = set()
        self.timers: dict[str, StartTimer] = {}  # back-offs, sleeps, time-outs of gates
        self.deadlines: dict[str, StartTimer] = {}
        self.timeouts: dict[str, StartTimer] = {}  # of workflows
        self.stopped_timers: list[StartTimer] = []
        self.requested: dict[str, RequestIO] = {}
        self.executions: dict[str, StartChild] = {}  # of launch plans
        self.chunks: dict[tuple[str, int], ChunkSimulation] = {}
        self.reported: list[ChildClosed] = []  # ends of children that were sent to the engine
        self.observed = invariants.Observed()
        self.finish: Finish | None = None
        self.plan, self.engine = self._engine()

    def _engine(self) -> tuple[Plan, Engine]:
        """Return a new engine that has not begun."""
        plan = Plan(self.stored.plan(""))
        return plan, new_engine(plan, self.stored.inputs if self.inline else None, self._engine_limits())

    def _engine_limits(self) -> capacity.Limits:
        return capacity.Limits(**asdict(self.limits))

    # ---------------------------------------------------------------------------- events of a test

    def succeed(self, path: str, outputs: dict[str, Json] | None = _ABSENT, *, inline: bool = True) -> list[Command]:
        """End a try successfully, by default with the outputs of `reference_interpreter.compute`; large ones are only stored."""
        run = self.in_flight[path]
        if run.task in self.stored.dynamics:
            self.stored.documents[f"{path}/{run.attempt}"] = self.stored.dynamics[run.task](self.stored.values(run.inputs))
            outputs = {}
        elif outputs is _ABSENT:
            outputs = self._computed(run)
        assert outputs is not None
        self.stored.results[f"{path}/{run.attempt}"] = outputs
        size = len(json.dumps(outputs))
        return self.do(TaskSucceeded(path, run.attempt, run.try_, outputs if inline and size < 8_192 else None, size))

    def _computed(self, run: RunTask, failed: tuple[int, ...] = ()) -> dict[str, Json]:
        if run.items is None:
            return compute(run.task, self.stored.values(run.inputs))
        calls = [{} if n in failed else compute(run.task, self.stored.values(item)) for n, item in enumerate(run.items)]
        return {name: [call.get(name) for call in calls] for name in ("x", "s")}

    def fail(
        self, path: str, code: str = "ValueError", message: str = "no good", *, kind: str = "USER", retryable: bool = True,
        failed_items: tuple[int, ...] | None = None,
    ) -> list[Command]:  # fmt: skip
        run = self.in_flight[path]
        error: dict[str, Any] = {"kind": kind, "code": code, "message": message, "retryable": retryable}
        if failed_items is not None:
            error["failed_items"] = list(failed_items)
            self.stored.results[f"{path}/{run.attempt}"] = self._computed(run, failed_items)
        return self.do(TaskFailed(path, run.attempt, run.try_, error))

    def lose(self, path: str, reason: str = "the worker went away") -> list[Command]:
        run = self.in_flight[path]
        return self.do(TaskLost(path, run.attempt, run.try_, reason))

    def stopped(self, path: str) -> list[Command]:
        run = self.in_flight[path]
        return self.do(TaskCancelled(path, run.attempt, run.try_))

    def fire(self, path: str, which: Literal["timer", "deadline", "timeout"] = "timer") -> list[Command]:
        """Fire a timer: by default that of the node's back-off, sleep or wait for an answer."""
        timer = {"timer": self.timers, "deadline": self.deadlines, "timeout": self.timeouts}[which][path]
        return self.do(TimerFired(path, timer.attempt, timer.try_))

    def complete_io(self, path: str, error: dict[str, Json] | None = None) -> list[Command]:
        """Answer the node's I/O request: from the store, or with an error."""
        request = self.requested[path]
        return self.do(IOCompleted(path, request.operation, error=error) if error is not None else self.stored.give(request))

    def close(
        self, path: str, phase: str = "SUCCEEDED", *, error: dict[str, Json] | None = None, inline: bool = True
    ) -> list[Command]:
        """End the execution of a launch plan."""
        start = self.executions[path]
        if phase != "SUCCEEDED":
            return self.do(ChildClosed(path, -1, start.attempt, phase, error=error))
        inputs = start.inputs if start.inputs_uri is None else self.stored.objects[start.inputs_uri]
        outputs = launched(start.launch_plan["launch_plan"], inputs)
        size = len(json.dumps(outputs))
        if inline:
            return self.do(ChildClosed(path, -1, start.attempt, phase, outputs, size=size))
        uri = f"mem://executions/{path}/{start.attempt}"
        self.stored.objects[uri] = outputs
        return self.do(ChildClosed(path, -1, start.attempt, phase, None, uri, size))

    def close_chunk(self, path: str, number: int) -> list[Command]:
        """Report the end of a chunk that has finished."""
        chunk = self.chunks[path, number]
        assert chunk.finish is not None
        while chunk.released:  # these signals were sent before its end
            self.report_release(path, number)
        end = chunk.finish
        if end.outputs is not None:
            outputs = {name: value[ITEMS] for name, value in end.outputs.items()}
            self.stored.chunk_outputs[f"{chunk.command.name}/{chunk.command.attempt}"] = outputs
        assert end.counts is not None
        self.observed.note_failed_calls(chunk)
        return self.do(ChildClosed(path, number, chunk.command.attempt, end.phase, error=end.error, counts=end.counts))

    def report_release(self, path: str, number: int) -> list[Command]:
        """Report that a chunk released slots."""
        chunk = self.chunks[path, number]
        return self.do(SlotsReleased(path, number, chunk.command.attempt, chunk.released.pop(0)))

    def lose_chunk(self, path: str, number: int) -> list[Command]:
        """Report that a chunk closed without a result."""
        error = {"kind": "SYSTEM", "code": "ChildEnded", "message": "it closed without a result"}
        return self.do(ChildClosed(path, number, self.chunks[path, number].command.attempt, "LOST", error=error))

    def answer(self, gate: str, value: Json = _ABSENT, *, approved: bool = True, reason: str = "") -> list[Command]:
        """Answer a gate by its name or path, with a value or an approval."""
        said = {"approved": approved, "reason": reason} if value is _ABSENT else {"value": value}
        return self.do(GateAnswered(gate, {"by": "ann", "at": self.at, **said}))

    def cancel(self, reason: str = "enough") -> list[Command]:
        return self.do(CancelRequested(reason))

    def pause(self) -> list[Command]:
        return self.do(PauseRequested("ann", "to look at it"))

    def resume(self) -> list[Command]:
        return self.do(ResumeRequested("ann"))

    def retry(self, *nodes: str) -> list[Command]:
        return self.do(RetryRequested(nodes))

    def expect_missing_inputs(self, path: str) -> None:
        """Expect that the node fails before it starts, because its inputs do not exist."""
        self.observed.missing_inputs.add(path)

    def restore(self) -> list[Command]:
        """Replace the engine by another one that is restored from its snapshot, and resume it."""
        return self.do("restore")

    def reload(self) -> None:
        """Replace a finished engine by another one that is restored from its snapshot, as before a retry."""
        self.do("reload")

    # ------------------------------------------------------------------------ state for tests

    @property
    def running(self) -> list[str]:
        """The tries in flight, as "node@attempt.try", in the order of their commands."""
        return [f"{run.node}@{run.attempt}.{run.try_}" for run in self.in_flight.values()]

    @property
    def phases(self) -> dict[str, str]:
        return {node.path: str(node.phase) for node in self.engine.nodes()}

    @property
    def failed(self) -> list[str]:
        """The nodes that failed or timed out by themselves."""
        ends = self.observed.ends.items()
        return [path for path, phase in ends if phase in (NodePhase.FAILED, NodePhase.TIMED_OUT)] + sorted(
            self.observed.missing_inputs
        )

    @property
    def allocated(self) -> int:
        return sum(chunk.granted for chunk in self.chunks.values())

    def row(self, path: str) -> dict[str, Any]:
        return next(row for row in snapshot.rows(self.engine) if row["id"] == path)

    def value(self, closed: dict[str, Any]) -> Json:
        """Return the literal of a closed value."""
        return self.stored.value(closed)

    def outputs(self) -> dict[str, Json]:
        assert self.finish is not None
        assert self.finish.phase == "SUCCEEDED", self.finish
        assert self.finish.outputs is not None
        return self.stored.values(self.finish.outputs)

    def everything(self) -> Iterator[Simulation]:
        """Yield this simulation and those of all running chunks."""
        yield self
        for chunk in self.chunks.values():
            yield from chunk.everything()

    # ------------------------------------------------------------------------------- actions

    def do(self, action: Action) -> list[Command]:
        """Perform an action on the engine; check and apply its commands."""
        self.at += 7
        self.script.append((action, self.at))
        if action == "hold":
            self.engine.hold()
            commands: list[Command] = []
        elif action == "begin":
            commands = self.engine.begin(self.at)
            command_checks.apply(self, commands)
        elif action == "restore" or action == "reload":
            commands = self._restore(action == "restore")
        else:
            commands = self._step(action)
        self.issued.append(commands)
        invariants.check(self)
        return commands

    def _step(self, event: Event) -> list[Command]:
        expected = command_checks.record(self, event)
        retrying = isinstance(event, RetryRequested)
        ended, self.finish = self.finish, None if retrying else self.finish
        commands = self.engine.step(event, self.at)
        if retrying and self.engine.finished and not commands:
            self.finish = ended  # refused
        elif retrying:
            invariants.forget_reset_nodes(self)
        command_checks.apply(self, commands)
        if expected is not None:
            node = event.node if isinstance(event, Answer) else ""
            assert self.phases[node] == expected, self.engine.log.moves_of(node)
        return commands

    def _restore(self, resumes: bool) -> list[Command]:
        state = from_pages(to_pages(snapshot.state(self.engine)))
        before = self.phases
        dynamics = {source: self.stored.plan(source) for source in sources(state["rows"])}
        self.plan, self.engine = self._engine()
        snapshot.fill(self.engine, state, dynamics)
        assert self.phases == before
        assert from_pages(to_pages(snapshot.state(self.engine))) == state
        if not resumes:
            return []
        commands = self.engine.resume(self.at)
        command_checks.apply_resumed(self, commands)
        return commands


class ChunkSimulation(Simulation):
    """Simulated execution of a chunk of a map."""

    def __init__(self, parent: Simulation, command: StartChunk) -> None:
        self.parent, self.command = parent, command
        self.granted = command.width  # slots, as the parent counts them
        self.released: list[int] = []  # signals that the parent has not received
        self._open(parent.stored, parent.limits, parent.at)
        self.observed.width = command.width
        if parent.engine.is_paused:
            self.engine.paused, self.observed.paused = parent.engine.paused, True
        self.engine.answers.update(parent.engine.answers)
        self.observed.answers.extend(parent.engine.answers.values())
        self.do("begin")

    def _engine(self) -> tuple[Plan, Engine]:
        command, stored = self.command, self.stored
        plan = Plan(stored.chunk_plan(command), command.source)
        width = self.observed.width or command.width
        role = ChunkRole(command.max_failures, command.attempts_before)
        given = {**command.given, **{var: literal(items) for var, items in stored.items[command.name].items()}}
        limits = replace(self._engine_limits(), max_parallelism=width)
        engine = chunk_engine(
            plan, REGISTRY, limits, role, path=command.node, local=command.local, first=command.first, count=command.count,
            given=given,
        )  # fmt: skip
        return plan, engine
