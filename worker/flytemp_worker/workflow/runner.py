"""The loop: carries out the engine's commands and feeds it what came of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError

from flytemp_worker.engine import (
    AllocationIncreased,
    BroadcastToChunks,
    CancelChild,
    CancelRequested,
    CancelTask,
    CancelTimer,
    Command,
    Engine,
    Event,
    Finish,
    IncreaseAllocation,
    ReleaseSlots,
    RequestIO,
    RunTask,
    StartChild,
    StartChunk,
    StartTimer,
    TaskCancelled,
    TaskFailed,
    TaskLost,
    TaskSucceeded,
)
from flytemp_worker.workflow import activity_calls, closing
from flytemp_worker.workflow.child_workflows import ChildWorkflows, tell_parent
from flytemp_worker.workflow.early_start import FIRST, EarlyStarts, StopTask
from flytemp_worker.workflow.journal import Journal
from flytemp_worker.workflow.operations import Operations
from flytemp_worker.workflow.visibility import details

FLUSH_COMMANDS = 256
FLUSH_BYTES = 1024 * 1024
"""Commands of one workflow task: whichever bound comes first (the server kills a run over 4 MiB of them)."""

FIRST_WINDOW = 45
"""Tasks that are in flight at first. The server buffers 100 events during a workflow task, and a completion is two: more
fail the workflow task. So only tasks that take their time, and end one by one, may be many at once."""

CALM, BUSY = 2, 8
"""Completions between two looks: with no more than the first the window doubles, with at least the second it shrinks."""

QUIET, LOOK_SECONDS, BUSY_LOOK_SECONDS = 2, 0.05, 0.1
"""While the window holds something back, the next look is so many seconds later: soon, with no more completions than the first;
else they bring looks of their own as a rule, but the last of them may have come, and what is in flight may take hours."""

LOOKS_WHEN_BUSY = "looks-when-busy"
"""The patch by which a run looks after many ends, too; histories from before it are replayed without."""

MOST_HISTORY_BYTES = 8 * 1024 * 1024
"""A history longer than this continues as new whatever the number of its events (the server warns at 10 MiB)."""


ENDS = (TaskSucceeded, TaskFailed, TaskLost, TaskCancelled)


class WorkflowRunner:
    """One run of one execution, or of a part of a map.

    Args:
        resolved: what `resolve` decided.
        generation: how often this execution has continued as new or been reopened.
        part: the part's description, when this is one.
    """

    def __init__(self, resolved: dict[str, Any], generation: int = 0, part: dict[str, Any] | None = None) -> None:
        self.resolved = resolved
        self.root: str = resolved["root"]
        self.settings: dict[str, Any] = resolved["settings"]
        self.generation = generation
        self.part = part
        self.engine: Engine
        self.ready = False  # the engine is there
        self.finish: Finish | None = None
        self.steps = 0
        self.saved_pages = 0
        self.work = Operations(self.root, self.settings, self.hear)
        self.relatives = ChildWorkflows(resolved, self.hear)
        self.ahead = EarlyStarts(self.root, self.settings, self._rouse, lambda key: self.hear(TaskCancelled(*key)))
        self.window = FIRST_WINDOW  # activities of tasks that may be in flight for now
        self.events: deque[Event] = deque()
        self._backlog: deque[Command] = deque()
        self._roused = False  # there is something to do, though no event came
        self._ended = 0  # tasks that ended since the last look
        self._ended_in_pause = 0  # and since the last pause began
        self._pause: workflow.ActivityHandle[Any] | None = None
        self._is_pause_over = False  # since the last look
        self._is_cautious = False  # many ended at once: the window grows when few end in a whole pause
        self._journal = Journal(part["execution_id"] if part is not None else None)
        self._carriers: dict[type, Callable[[Any], None]] = {
            RunTask: self.work.run_task,
            StopTask: lambda command: self.work.run_task(command.task, stop=True),
            CancelTask: self._cancel_task,
            StartTimer: self.work.start_timer,
            CancelTimer: self.work.cancel_timer,
            RequestIO: self.work.ask,
            StartChild: self.relatives.start_execution,
            StartChunk: self._start_part,
            CancelChild: self.relatives.cancel,
            BroadcastToChunks: lambda command: self.relatives.tell_parts(command.message),
            IncreaseAllocation: self.relatives.tell_part,
            ReleaseSlots: self._give_back,
        }

    @property
    def parent(self) -> str | None:
        """The workflow that this one tells of its end."""
        if self.part is not None:
            return str(self.part["parent"])
        caller = self.resolved.get("parent")
        return caller["workflow_id"] if caller else None

    @property
    def has_backlog(self) -> bool:
        """Commands wait for the next workflow task."""
        return bool(self._backlog) or self.ahead.is_due(self.engine, self.window)

    def hear(self, event: Event) -> None:
        """Take an event in; the loop feeds it to the engine."""
        self.events.append(event)

    def more_lent(self, width: int) -> None:
        """The execution lends this part more; the runs that continue this one know, too."""
        assert self.part is not None
        self.part["width"] = width
        self.events.append(AllocationIncreased(width))

    # --------------------------------------------------------------------------------------- loop

    async def run(self) -> dict[str, Any]:
        """Until the engine is finished. Continues as new, with work in flight, when history grows long."""
        if self.parent is not None:
            watching = self.relatives.look_after_parent(self.parent, self._lose_parent)
            asyncio.create_task(watching)  # noqa: RUF006 - the loop is the workflow's
        while True:
            self._start_ahead()
            self.carry_out()
            if self.finish is not None:
                return await closing.close(self, self.finish)
            workflow.set_current_details(details(self.engine, self.resolved))
            if self._should_continue_as_new():
                await closing.continue_as_new(self)
            else:
                await self.wait(pause=self._seconds_to_pause())
            self.feed()

    async def wait(self, seconds: float | None = None, *, pause: float | None = None) -> None:
        """Until an event or a cancellation; for ``seconds`` at most, by a timer; or until a short ``pause`` is over."""
        if pause is not None and self._pause is None:
            self._pause = activity_calls.pause(pause)
            self._ended_in_pause = 0
            self._pause.add_done_callback(self._pause_over)
        try:
            await workflow.wait_condition(
                lambda: bool(self.events) or self._roused or (pause is not None and self._pause is None), timeout=seconds
            )
        except TimeoutError:
            return
        except asyncio.CancelledError:
            self.cancelled()

    def _rouse(self) -> None:
        self._roused = True

    def _pause_over(self, done: asyncio.Task[Any]) -> None:
        self._pause = None
        self._is_pause_over = True

    async def settle(self) -> None:
        """Nothing short is on the way any more: what arrives just when a run ends makes the server ask it again."""
        if self._pause is not None:
            await self.uncancelled(self._pause)
        if self.ahead.starting is not None:
            with contextlib.suppress(ActivityError):  # those who wait for the tasks will see
                await self.uncancelled(self.ahead.starting)

    async def uncancelled(self, work: asyncio.Future[Any]) -> Any:
        """The work's result, even when a cancellation arrives meanwhile: that is remembered."""
        while not work.done():
            try:
                await asyncio.shield(work)
            except asyncio.CancelledError:
                self.cancelled()
        return work.result()

    def cancelled(self) -> None:
        self.events.append(CancelRequested(workflow.cancellation_reason() or "cancelled"))

    def _lose_parent(self) -> None:
        self.events.append(CancelRequested("its parent is gone"))

    def _seconds_to_pause(self) -> float | None:
        """A moment, when more commands are to follow or the window may grow; else until something happens."""
        if self.has_backlog:
            return 0
        if not self._may_grow:
            return None
        if self._ended <= QUIET:
            return LOOK_SECONDS
        if not workflow.patched(LOOKS_WHEN_BUSY):
            return None
        self._is_cautious = True
        return BUSY_LOOK_SECONDS

    def feed(self) -> None:
        """Give the engine what happened."""
        at = now()
        self._ended = 0
        self._roused = False
        while self.events and self.finish is None:
            self.steps += 1
            event = self.events.popleft()
            self._ended += isinstance(event, ENDS)
            self.take(self.engine.step(event, at))
        self._ended_in_pause += self._ended
        self._adapt_window()
        self._is_pause_over = False

    @property
    def _may_grow(self) -> bool:
        """The window holds something back."""
        return self.ahead.starting is None and (self.engine.is_windowed or self.ahead.waits_for_window(self.engine))

    def _adapt_window(self) -> None:
        self._tell_window()
        ended = self._ended_in_pause if self._is_cautious and self._is_pause_over else self._ended
        if self._ended >= BUSY:
            self.window = max(FIRST_WINDOW, self.window * 3 // 4)
            self._tell_window()
        elif ended <= CALM and self._may_grow and not self.has_backlog:
            self.window = min(self.engine.limit, self.window * 2)
            self._is_cautious = False
            self._tell_window()
            self.take(self.engine.flush())

    def _tell_window(self) -> None:
        """What the engine may issue by itself."""
        self.engine.window = self.ahead.window(self.window)

    def _start_ahead(self) -> None:
        """Have tasks started that the window holds back, when they are many."""
        engine = self.engine
        room = self.ahead.room(engine)
        if not room:
            return
        engine.window = engine.running + engine.lent + room
        self.take(engine.flush())
        unsent = [command for command in self._backlog if isinstance(command, RunTask) and not command.resumed]
        tasks = unsent[FIRST:]
        if tasks:
            held = set(map(id, tasks))
            self._backlog = deque(command for command in self._backlog if id(command) not in held)
            self.ahead.start(tasks, _fitting(tasks))
        self._tell_window()

    def take(self, commands: list[Command]) -> None:
        if commands and isinstance(commands[-1], Finish):
            self.finish = commands[-1]
        for command in commands:
            if isinstance(command, StartChild):
                self.engine.by_path[command.node].extra["child"] = self.relatives.execution_of(command)
        self._backlog.extend(commands)

    def _should_continue_as_new(self) -> bool:
        if self.steps == 0 or self.engine.aborting or self.has_backlog:
            return False
        threshold: int = self.settings["continue_as_new_events"]
        info = workflow.info()
        if info.get_current_history_size() > MOST_HISTORY_BYTES:
            return True
        return info.get_current_history_length() >= threshold if threshold else info.is_continue_as_new_suggested()

    # ----------------------------------------------------------------------------------- commands

    def carry_out(self) -> None:
        """Commands in their order, within the bounds of one workflow task; the rest waits for the next one."""
        self._journal.write(self.engine)  # first: a reader hears of a node before it hears of what runs in it
        held = len(self.ahead)
        count = size = 0
        while count < FLUSH_COMMANDS and size < FLUSH_BYTES:
            command = self._backlog.popleft() if self._backlog else self.ahead.next(self.engine, self.window)
            if command is None:
                break
            count += 1
            size += _size(command)
            carrier = self._carriers.get(type(command))
            if carrier is not None:
                carrier(command)
        if held and not len(self.ahead):  # the engine issues by itself again
            self._tell_window()
            self.take(self.engine.flush())

    def _cancel_task(self, command: CancelTask) -> None:
        if not self.ahead.stop(command):
            self.work.cancel_task(command)

    def _start_part(self, command: StartChunk) -> None:
        engine = self.engine
        execution_id = self.part["execution_id"] if self.part is not None else workflow.info().workflow_id
        told = {"answers": engine.answers, "paused": engine.paused}
        self.relatives.start_part(command, execution_id, told)

    def _give_back(self, command: ReleaseSlots) -> None:
        assert self.part is not None
        message = {"node": self.part["node"], "part": self.part["part"], "attempt": self.part["attempt"], "width": command.width}
        asyncio.create_task(tell_parent(self.part["parent"], message, activity_calls.GAVE_BACK))  # noqa: RUF006 - the loop is the workflow's


def _fitting(tasks: list[RunTask]) -> int:
    """How many of them, at least one, have room in one activity's argument."""
    size = 0
    for number, task in enumerate(tasks):
        size += _size(task)
        if size > FLUSH_BYTES:
            return max(1, number)
    return len(tasks)


def _size(command: Command | StopTask) -> int:
    """About how many bytes the command is for the server."""
    if isinstance(command, StopTask):
        return _size(command.task)
    if isinstance(command, RunTask):
        return 600 + len(repr(command.inputs)) + (len(repr(command.items)) if command.items else 0)
    if isinstance(command, RequestIO):
        return len(repr(command.argument))
    if isinstance(command, StartChild):
        return 1_000 + len(repr(command.inputs))
    return 4_000 + len(repr(command.given)) if isinstance(command, StartChunk) else 0


def now() -> int:
    return workflow.time_ns() // 1_000_000

