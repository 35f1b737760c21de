"""A platform for the engine to command: it answers as it is told, and checks every command against its own books.

Whatever a test does through `Simulation`, these hold or it fails (see also `books`):

* a (node, attempt, try) is issued once; again only when it is resumed, and then with the same inputs;
* no node starts before all it needs has succeeded, nor inside of what is stopping, nor while the execution is paused;
* never more in flight than allowed, what parts of maps borrowed included;
* the user's and the platform's budgets are kept exactly;
* only what is in flight is stopped, only timers that run are stopped, each once;
* a final phase is final, but for what a person tries again; Finish comes once, last, and with nothing in flight.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from flytemp.spec.bindings import ITEMS, literal
from flytemp.spec.models import WorkflowDocument
from flytemp.spec.pages import from_pages, to_pages
from flytemp_worker.engine import (
    CancelRequested,
    ChildClosed,
    Command,
    Engine,
    Event,
    Finish,
    GateAnswered,
    IOCompleted,
    NodePhase,
    PauseRequested,
    Plan,
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
    snapshot,
)
from flytemp_worker.engine.kinds import concurrency_budget, maps
from flytemp_worker.engine.kinds.dynamics import sources
from flytemp_worker.engine.nodes import GraphRun

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
    """An execution of ``program``. ``inline`` says whether the engine gets the launch's inputs as values; ``dynamics`` are
    what its dynamic tasks do. A part of a map is a simulation in this one: see `parts`."""

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
        self.script: list[tuple[Action, int]] = []  # all that was done, for a repetition
        self.issued: list[list[Command]] = []  # and all that was commanded
        self.in_flight: dict[str, RunTask] = {}
        self.stopping: set[str] = set()
        self.timers: dict[str, StartTimer] = {}  # back-offs, sleeps, time-outs of gates
        self.deadlines: dict[str, StartTimer] = {}
        self.timeouts: dict[str, StartTimer] = {}  # of workflows
        self.stopped_timers: list[StartTimer] = []
        self.asked: dict[str, RequestIO] = {}
        self.executions: dict[str, StartChild] = {}  # of launch plans
        self.parts: dict[tuple[str, int], Part] = {}
        self.heard: list[ChildClosed] = []  # ends of children that the engine knows of already
        self.books = invariants.Books()
        self.finish: Finish | None = None
        self.plan, self.engine = self._engine()

    def _engine(self) -> tuple[Plan, Engine]:
        """A new engine, which was not begun."""
        plan = Plan(self.stored.plan(""))
        return plan, Engine(plan, self.stored.inputs if self.inline else None, **asdict(self.limits))

    # ------------------------------------------------------------------------- what a test says

    def succeed(self, path: str, outputs: dict[str, Json] | None = _ABSENT, *, travels: bool = True) -> list[Command]:
        """The try ends well; its outputs are those of `reference_interpreter.compute` unless said. Large ones do not travel."""
        run = self.in_flight[path]
        if run.task in self.stored.dynamics:
            self.stored.documents[f"{path}/{run.attempt}"] = self.stored.dynamics[run.task](self.stored.values(run.inputs))
            outputs = {}
        elif outputs is _ABSENT:
            outputs = self._computed(run)
        assert outputs is not None
        self.stored.results[f"{path}/{run.attempt}"] = outputs
        size = len(json.dumps(outputs))
        return self.do(TaskSucceeded(path, run.attempt, run.try_, outputs if travels and size < 8_192 else None, size))

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
        """A timer ends: by default the node's back-off, sleep or wait for an answer."""
        timer = {"timer": self.timers, "deadline": self.deadlines, "timeout": self.timeouts}[which][path]
        return self.do(TimerFired(path, timer.attempt, timer.try_))

    def tell(self, path: str, error: dict[str, Json] | None = None) -> list[Command]:
        """Answer what the node asked: from the store, or with why there is no answer."""
        ask = self.asked[path]
        return self.do(IOCompleted(path, ask.what, error=error) if error is not None else self.stored.give(ask))

    def close(
        self, path: str, phase: str = "SUCCEEDED", *, error: dict[str, Json] | None = None, travels: bool = True
    ) -> list[Command]:
        """The execution of a launch plan ends."""
        start = self.executions[path]
        if phase != "SUCCEEDED":
            return self.do(ChildClosed(path, -1, start.attempt, phase, error=error))
        inputs = start.inputs if start.inputs_uri is None else self.stored.objects[start.inputs_uri]
        outputs = launched(start.launch_plan["launch_plan"], inputs)
        size = len(json.dumps(outputs))
        if travels:
            return self.do(ChildClosed(path, -1, start.attempt, phase, outputs, size=size))
        uri = f"mem://executions/{path}/{start.attempt}"
        self.stored.objects[uri] = outputs
        return self.do(ChildClosed(path, -1, start.attempt, phase, None, uri, size))

    def close_part(self, path: str, number: int) -> list[Command]:
        """The engine hears of the end of a part that finished."""
        part = self.parts[path, number]
        assert part.finish is not None
        while part.given_back:  # it said so before it ended
            self.hear_part(path, number)
        end = part.finish
        if end.outputs is not None:
            outputs = {name: value[ITEMS] for name, value in end.outputs.items()}
            self.stored.part_outputs[f"{part.command.name}/{part.command.attempt}"] = outputs
        assert end.counts is not None
        self.books.note_lost(part)
        return self.do(ChildClosed(path, number, part.command.attempt, end.phase, error=end.error, counts=end.counts))

    def hear_part(self, path: str, number: int) -> list[Command]:
        """The engine hears that a part gave something back."""
        part = self.parts[path, number]
        return self.do(SlotsReleased(path, number, part.command.attempt, part.given_back.pop(0)))

    def lose_part(self, path: str, number: int) -> list[Command]:
        """A part goes away without a word."""
        error = {"kind": "SYSTEM", "code": "ChildEnded", "message": "it closed without a word"}
        return self.do(ChildClosed(path, number, self.parts[path, number].command.attempt, "LOST", error=error))

    def answer(self, gate: str, value: Json = _ABSENT, *, approved: bool = True, reason: str = "") -> list[Command]:
        """Answer a gate, by its name or path: with a value, or by approving it or not."""
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

    def lead_nowhere(self, path: str) -> None:
        """This node's inputs do not exist: it will fail before it starts."""
        self.books.nowhere.add(path)

    def restore(self) -> list[Command]:
        """Snapshot the state, forget the engine, make another from what was written."""
        return self.do("restore")

    def reload(self) -> None:
        """Make another engine of a finished one, as it is done before a retry of what had ended."""
        self.do("reload")

    # ------------------------------------------------------------------------ what a test reads

    @property
    def running(self) -> list[str]:
        """What is in flight, as "node@attempt.try", in the order in which it was issued."""
        return [f"{run.node}@{run.attempt}.{run.try_}" for run in self.in_flight.values()]

    @property
    def phases(self) -> dict[str, str]:
        return {node.path: str(node.phase) for node in self.engine.nodes()}

    @property
    def failed(self) -> list[str]:
        """What failed or timed out by itself."""
        ends = self.books.ends.items()
        return [path for path, phase in ends if phase in (NodePhase.FAILED, NodePhase.TIMED_OUT)] + sorted(self.books.nowhere)

    @property
    def lent(self) -> int:
        return sum(part.lent_to_it for part in self.parts.values())

    def row(self, path: str) -> dict[str, Any]:
        return next(row for row in snapshot.rows(self.engine) if row["id"] == path)

    def value(self, closed: dict[str, Any]) -> Json:
        """A closed value, read as the runtime reads it."""
        return self.stored.value(closed)

    def outputs(self) -> dict[str, Json]:
        assert self.finish is not None
        assert self.finish.phase == "SUCCEEDED", self.finish
        assert self.finish.outputs is not None
        return self.stored.values(self.finish.outputs)

    def everything(self) -> Iterator[Simulation]:
        """This one, and all parts that run in it."""
        yield self
        for part in self.parts.values():
            yield from part.everything()

    # ------------------------------------------------------------------------------- what is done

    def do(self, action: Action) -> list[Command]:
        """Do something to the engine; check and carry out what it commands."""
        self.at += 7
        self.script.append((action, self.at))
        if action == "hold":
            self.engine.hold()
            commands: list[Command] = []
        elif action == "begin":
            commands = self.engine.begin(self.at)
            command_checks.carry_out(self, commands)
        elif action == "restore" or action == "reload":
            commands = self._restore(action == "restore")
        else:
            commands = self._step(action)
        self.issued.append(commands)
        invariants.check(self)
        return commands

    def _step(self, event: Event) -> list[Command]:
        expected = command_checks.enter(self, event)
        retrying = isinstance(event, RetryRequested)
        ended, self.finish = self.finish, None if retrying else self.finish
        commands = self.engine.step(event, self.at)
        if retrying and self.engine.finished and not commands:
            self.finish = ended  # refused
        elif retrying:
            invariants.reopened(self)
        command_checks.carry_out(self, commands)
        if expected is not None:
            node = event.node if isinstance(event, Answer) else ""
            assert self.phases[node] == expected, self.engine.ledger.story(node)
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
        command_checks.carry_on(self, commands)
        return commands


class Part(Simulation):
    """A part of a map, as its workflow runs it."""

    def __init__(self, parent: Simulation, command: StartChunk) -> None:
        self.parent, self.command = parent, command
        self.lent_to_it = command.width  # as the parent knows it
        self.given_back: list[int] = []  # what the parent has not heard yet
        self._open(parent.stored, parent.limits, parent.at)
        self.books.width = command.width
        self.do("begin")
        for gate, answer in parent.engine.answers.items():
            self.do(GateAnswered(gate, answer))
        if parent.engine.paused is not None:
            self.pause()

    def _engine(self) -> tuple[Plan, Engine]:
        command, stored = self.command, self.stored
        plan = Plan(stored.part_plan(command), command.source)
        plan.structured = True
        engine = Engine(plan, None, **{**asdict(self.limits), "max_parallelism": self.books.width or command.width})
        engine.most_failures, engine.base = command.most_failures, command.base
        node = plan.root.nodes[0]
        assert node.map is not None
        node.map.item.local = command.local
        scope = GraphRun(node.map.graph, None, kind="map")
        scope.path = command.node
        scope.given = {**command.given, **{var: literal(items) for var, items in stored.items[command.name].items()}}
        maps.fill(scope, node.map, command.first, command.count)
        engine.root = scope
        width = command.width if self.books.width is None else self.books.width
        scope.width = width if node.map.concurrency else 0
        concurrency_budget.borrow(engine, width)
        return plan, engine
