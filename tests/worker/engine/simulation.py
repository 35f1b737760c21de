"""A platform for the engine to command: it answers as it is told, and checks every command against its own books.

Whatever a test does through `Simulation`, these hold or it fails:

* a (node, attempt, try) is issued once; again only when it is resumed, and then with the same inputs;
* no node starts before all it needs has succeeded, nor inside of what is stopping;
* never more in flight than allowed;
* the user's and the platform's budgets are kept exactly;
* only what is in flight is stopped, only timers that run are stopped, each once;
* a final phase is final; Finish comes once, last, and with nothing in flight.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from flytemp.literals.navigate import value_at
from flytemp.spec.models import NodeSpec, WorkflowDocument, WorkflowSpec
from flytemp.spec.pages import from_pages, to_pages
from flytemp.spec.plan import constant, plan_of
from flytemp_worker.engine import (
    CancelRequested,
    CancelTask,
    CancelTimer,
    Command,
    Engine,
    Event,
    Finish,
    NodePhase,
    Plan,
    RunTask,
    StartTimer,
    TaskCancelled,
    TaskFailed,
    TaskLost,
    TaskSucceeded,
    TimerFired,
    rows,
)
from flytemp_worker.engine.phases import ACTIVE, FINAL

from .programs import AT_ONCE, Json, compute, needs

Answer = TaskSucceeded | TaskFailed | TaskLost | TaskCancelled
Action = Event | Literal["begin", "hold", "restore"]

_ABSENT: Any = object()


@dataclass(frozen=True)
class Limits:
    max_parallelism: int = 0
    max_system_tries: int = 3


@dataclass
class Budget:
    """Where a task node stands, by the books of the simulation."""

    attempt: int = 1
    try_: int = 1
    lost: int = 0


class Simulation:
    """An execution of ``program``. ``inline`` says whether the engine gets the launch's inputs as values."""

    def __init__(
        self,
        program: WorkflowDocument,
        inputs: Mapping[str, Json] | None = None,
        *,
        inline: bool = True,
        limits: Limits | None = None,
    ) -> None:
        self.program = program
        self.inputs = dict(inputs or {})
        self.limits = limits or Limits()
        self.plan = Plan(json.loads(json.dumps(plan_of(program))))
        self.engine = Engine(self.plan, self.inputs if inline else None, **asdict(self.limits))
        self.at = 1_000_000
        self.script: list[tuple[Action, int]] = []  # all that was done, for a repetition
        self.issued: list[list[Command]] = []  # and all that was commanded
        self.in_flight: dict[str, RunTask] = {}
        self.stopping: set[str] = set()
        self.timers: dict[str, StartTimer] = {}
        self.stopped_timers: list[StartTimer] = []
        self.results: dict[str, dict[str, Json]] = {}  # by reference: "<node>/<attempt>"
        self.succeeded: set[str] = set()
        self.failed: list[str] = []
        self.finish: Finish | None = None
        self._budgets: dict[str, Budget] = {}
        self._tries: set[tuple[str, int, int]] = set()
        self._stopped_scopes: set[str] = set()
        self._final: dict[str, NodePhase] = {}
        self._done: set[str] = set()
        self.do("begin")

    # ------------------------------------------------------------------------- what a test says

    def succeed(self, path: str, outputs: dict[str, Json] | None = _ABSENT, *, travels: bool = True) -> list[Command]:
        """The try ends well; its outputs are those of `programs.compute` unless said. Large ones do not travel."""
        run = self.in_flight[path]
        if outputs is _ABSENT:
            outputs = compute(run.task, {var: self.value(closed) for var, closed in run.inputs.items()})
        assert outputs is not None
        self.results[f"{path}/{run.attempt}"] = outputs
        size = len(json.dumps(outputs))
        return self.do(TaskSucceeded(path, run.attempt, run.try_, outputs if travels else None, size))

    def fail(
        self, path: str, code: str = "ValueError", message: str = "no good", *, kind: str = "USER", retryable: bool = True
    ) -> list[Command]:
        run = self.in_flight[path]
        error = {"kind": kind, "code": code, "message": message, "retryable": retryable}
        return self.do(TaskFailed(path, run.attempt, run.try_, error))

    def lose(self, path: str, reason: str = "the worker went away") -> list[Command]:
        run = self.in_flight[path]
        return self.do(TaskLost(path, run.attempt, run.try_, reason))

    def stopped(self, path: str) -> list[Command]:
        run = self.in_flight[path]
        return self.do(TaskCancelled(path, run.attempt, run.try_))

    def fire(self, path: str) -> list[Command]:
        timer = self.timers[path]
        return self.do(TimerFired(path, timer.attempt, timer.try_))

    def cancel(self, reason: str = "enough") -> list[Command]:
        return self.do(CancelRequested(reason))

    def lead_nowhere(self, path: str) -> None:
        """This node's inputs do not exist: it will fail before it starts."""
        self._stop_around(path)
        self.failed.append(path)

    def restore(self) -> list[Command]:
        """Snapshot the state, forget the engine, make another from what was written."""
        return self.do("restore")

    # ------------------------------------------------------------------------ what a test reads

    @property
    def running(self) -> list[str]:
        """What is in flight, as "node@attempt.try", in the order in which it was issued."""
        return [f"{run.node}@{run.attempt}.{run.try_}" for run in self.in_flight.values()]

    @property
    def phases(self) -> dict[str, str]:
        return {node.path: str(node.phase) for node in self.engine.nodes()}

    def row(self, path: str) -> dict[str, Any]:
        return next(row for row in rows.rows(self.engine) if row["id"] == path)

    def outputs(self) -> dict[str, Json]:
        assert self.finish is not None
        assert self.finish.phase == "SUCCEEDED", self.finish
        assert self.finish.outputs is not None
        return {var: self.value(closed) for var, closed in self.finish.outputs.items()}

    def value(self, closed: dict[str, Any]) -> Json:
        """A closed value, read as the runtime reads it."""
        match closed:
            case {"l": literal}:
                return literal
            case {"r": reference, "v": var, "p": path}:
                return value_at(self.results[reference][var], path)
            case {"c": var, "p": path}:
                return value_at(self.inputs[var], path)
            case {"k": key, "p": path}:
                return value_at(constant(self.program, key), path)
            case {"a": items}:
                return [self.value(item) for item in items]
            case {"m": entries}:
                return {key: self.value(item) for key, item in entries.items()}
        raise AssertionError(f"not a closed value: {closed}")

    # --------------------------------------------------------------------------------- the books

    def do(self, action: Action) -> list[Command]:
        """Do something to the engine; check and carry out what it commands."""
        self.at += 7
        self.script.append((action, self.at))
        if action == "hold":
            self.engine.hold()
            commands: list[Command] = []
        elif action == "begin":
            commands = self.engine.begin(self.at)
            self._carry_out(commands)
        elif action == "restore":
            commands = self._restore()
        else:
            commands = self._step(action)
        self.issued.append(commands)
        self._check_state()
        return commands

    def _step(self, event: Event) -> list[Command]:
        if isinstance(event, TimerFired | CancelRequested):
            self._note(event)
            commands = self.engine.step(event, self.at)
            self._carry_out(commands)
        else:
            expected = self._settle(event)
            commands = self.engine.step(event, self.at)
            self._carry_out(commands)
            assert self.phases[event.node] == expected, self.engine.ledger.story(event.node)
        return commands

    def _note(self, event: TimerFired | CancelRequested) -> None:
        if isinstance(event, CancelRequested):
            self._stopped_scopes.add("")
            return
        timer = self.timers.get(event.node)
        if timer is not None and (timer.attempt, timer.try_) == (event.attempt, event.try_):
            del self.timers[event.node]

    def _settle(self, event: Answer) -> NodePhase:
        """Enter an answer into the books: the phase in which it must leave the node."""
        path, stopping = event.node, event.node in self.stopping
        del self.in_flight[path]
        self.stopping.discard(path)
        if isinstance(event, TaskSucceeded):
            self.succeeded.add(path)
            return NodePhase.SUCCEEDED
        system = not isinstance(event, TaskFailed) or event.error["kind"] == "SYSTEM"
        if stopping and system:
            return NodePhase.ABORTED
        budget = self._budgets[path]
        retryable = not isinstance(event, TaskFailed) or event.error["retryable"]
        if system and retryable and budget.lost + 1 < self.limits.max_system_tries:
            budget.lost, budget.try_ = budget.lost + 1, budget.try_ + 1
            return NodePhase.BACKOFF
        if not system and retryable and not stopping and budget.attempt <= self.retries(path):
            self._budgets[path] = Budget(attempt=budget.attempt + 1)
            return NodePhase.BACKOFF
        self.failed.append(path)
        self._stop_around(path)
        timed_out = isinstance(event, TaskFailed) and not (system and retryable) and event.error["code"] == "Timeout"
        return NodePhase.TIMED_OUT if timed_out else NodePhase.FAILED

    def _stop_around(self, path: str) -> None:
        """A failure stops the scope around it when that fails at once, and then the scope around that."""
        while path:
            path = path.rpartition(".")[0]
            if self.scope(path).failure_policy != AT_ONCE:
                return
            self._stopped_scopes.add(path)

    def _carry_out(self, commands: list[Command]) -> None:
        for command in commands:
            assert self.finish is None, "a command after Finish"
            match command:
                case RunTask():
                    self._start(command)
                case CancelTask(node=path):
                    run = self.in_flight[path]
                    assert (run.attempt, run.try_) == (command.attempt, command.try_)
                    assert path not in self.stopping
                    self.stopping.add(path)
                case StartTimer(node=path):
                    budget = self._budgets[path]
                    assert (command.attempt, command.try_) == (budget.attempt, budget.try_)
                    assert path not in self.timers
                    assert path not in self.in_flight
                    assert command.seconds > 0
                    self.timers[path] = command
                case CancelTimer(node=path):
                    timer = self.timers.pop(path)
                    assert (timer.attempt, timer.try_) == (command.attempt, command.try_)
                    self.stopped_timers.append(timer)
                case Finish():
                    assert not self.in_flight
                    assert not self.timers
                    self.finish = command
        for path in self.in_flight:
            assert path in self.stopping or not self._is_stopped(path), f"{path} goes on in a scope that stops"

    def _start(self, run: RunTask) -> None:
        key = (run.node, run.attempt, run.try_)
        budget = self._budgets.setdefault(run.node, Budget())
        assert not run.resumed
        assert key not in self._tries, f"{key} was issued before"
        assert (run.attempt, run.try_) == (budget.attempt, budget.try_)
        assert run.node not in self.in_flight
        assert run.node not in self.timers
        assert not self.engine.holding
        assert not self._is_stopped(run.node), f"{run.node} starts in a scope that stops"
        self._check_ready(run.node)
        self._tries.add(key)
        self.in_flight[run.node] = run
        limit = self.limits.max_parallelism
        assert not limit or len(self.in_flight) <= limit

    def _restore(self) -> list[Command]:
        state = from_pages(to_pages(rows.state(self.engine)))
        before = self.phases
        self.engine = rows.restore(self.plan, state, **asdict(self.limits))
        assert self.phases == before
        assert from_pages(to_pages(rows.state(self.engine))) == state
        commands = self.engine.resume(self.at)
        resumed = {command.node: command for command in commands if isinstance(command, RunTask) and command.resumed}
        assert {path: replace(run, resumed=False) for path, run in resumed.items()} == self.in_flight
        assert {command.node for command in commands if isinstance(command, CancelTask)} == self.stopping
        timers = {command.node: command for command in commands if isinstance(command, StartTimer)}
        assert timers.keys() == self.timers.keys()
        assert all(0 < timer.seconds <= self.timers[path].seconds for path, timer in timers.items())
        self.timers = {}
        self._carry_out([c for c in commands if not isinstance(c, CancelTask) and c not in resumed.values()])
        return commands

    # ------------------------------------------------------------------------------ the program

    def scope(self, path: str) -> WorkflowSpec:
        """The workflow that runs in the scope ``path``; "" is the root."""
        spec = self.program.root
        for part in path.split(".") if path else ():
            spec = self.program.workflows[next(node for node in spec.nodes if node.id == part).target]
        return spec

    def node(self, path: str) -> NodeSpec:
        scope, _, node_id = path.rpartition(".")
        return next(node for node in self.scope(scope).nodes if node.id == node_id)

    def retries(self, path: str) -> int:
        spec = self.node(path)
        return (spec.overrides.settings or self.program.tasks[spec.target].settings).retries.count

    def is_done(self, path: str) -> bool:
        """Whether a node has succeeded: a task by its answer, a sub-workflow by all that is in it."""
        spec = self.node(path)
        if spec.kind == "task":
            return path in self.succeeded
        if path not in self._done and all(self.is_done(f"{path}.{n.id}") for n in self.scope(path).nodes):
            self._done.add(path)
        return path in self._done

    def _check_ready(self, path: str) -> None:
        while path:
            scope = path.rpartition(".")[0]
            for needed in needs(self.node(path)):
                assert self.is_done(f"{scope}.{needed}".lstrip(".")), f"{path} starts before {needed}"
            path = scope

    def _is_stopped(self, path: str) -> bool:
        while path:
            path = path.rpartition(".")[0]
            if path in self._stopped_scopes:
                return True
        return False

    # -------------------------------------------------------------------------------- the engine

    def _check_state(self) -> None:
        engine, phases = self.engine, {node.path: node.phase for node in self.engine.nodes()}
        for path, phase in self._final.items():
            assert phases[path] is phase, f"{path} was {phase}"
        self._final = {path: phase for path, phase in phases.items() if phase in FINAL}
        assert {phase: count for phase, count in engine.counts.items() if count} == Counter(phases.values())
        assert engine.running == len(self.in_flight)
        assert engine.active.keys() == {path for path, phase in phases.items() if phase in ACTIVE}
        assert engine.finished == (self.finish is not None)
        if self.finish is not None:
            assert self._final.keys() == phases.keys()
