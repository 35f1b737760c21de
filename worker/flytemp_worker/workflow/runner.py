"""Loop between the engine and Temporal: processes events and dispatches the engine's commands."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError

from flytemp.protocol.message import Activity, Message
from flytemp.protocol.workflow import CHILD_CLOSED, PARENT_MESSAGE, SLOTS_RELEASED, ChunkArgument, Resolved, SlotsReleased
from flytemp_activities.application_errors import bounded
from flytemp_worker.engine.events import expects
from flytemp_worker.engine.machine import Engine
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
from flytemp_worker.node_kinds.children import set_execution
from flytemp_worker.workflow import activity_calls
from flytemp_worker.workflow.child_workflows import ChildWorkflows, signal_parent
from flytemp_worker.workflow.early_start import FIRST, EarlyStarts, StopTask
from flytemp_worker.workflow.journal import Journal
from flytemp_worker.workflow.operations import Operations
from flytemp_worker.workflow.received import warn_ignored
from flytemp_worker.workflow.reset_epoch import ResetEpoch
from flytemp_worker.workflow.visibility import details
from flytemp_worker.workflow.window import TaskWindow

MAX_COMMANDS = 256
MAX_COMMAND_BYTES = 1024 * 1024
"""Maximum number and size of the commands of one workflow task. The server terminates a run above 4 MiB."""

MAX_HISTORY_BYTES = 8 * 1024 * 1024
"""History size after which a run continues as new whatever its number of events. The server warns at 10 MiB."""

MAX_REASON_BYTES = 1_000
"""Maximum length of the reason of a cancellation, which is part of the errors of all nodes that it stops."""

TASK_ENDS = (TaskSucceeded, TaskFailed, TaskLost, TaskCancelled)

A = TypeVar("A", bound=Message)
R = TypeVar("R")


class WorkflowRunner:
    """One run of an execution, or of a chunk of a map.

    Args:
        resolved: the plan and the settings of the execution.
        reset: the last reset in the history of the run.
        chunk: the description of the chunk if this runner runs one.
        generation: the number of times that the execution continued as new.

    Attributes:
        engine: the engine; `loading` sets it.
        is_ready: True if the engine can process events.
        finish: the engine's last command, after which no event is processed.
        slots: the slots that are allocated to the chunk; 0 for an execution.
    """

    def __init__(
        self, resolved: Resolved, reset: ResetEpoch, chunk: ChunkArgument | None = None, generation: int = 0
    ) -> None:
        self.resolved = resolved
        self.root = resolved.root
        self.settings = resolved.settings
        self.reset = reset
        self.chunk = chunk
        self.slots = chunk.width if chunk is not None else 0
        self.generation = generation
        self.engine: Engine
        self.is_ready = False
        self.finish: Finish | None = None
        self.events: deque[Event] = deque()
        self.window = TaskWindow()
        self._steps = 0
        self._commands: deque[Command] = deque()
        self._has_work = False  # the loop has to run although no event arrived
        self._short_timer: workflow.ActivityHandle[Any] | None = None
        self._operations = Operations(self.root, self.settings, self.enqueue_event)
        self._children = ChildWorkflows(resolved, self.enqueue_event)
        self._early_starts = EarlyStarts(
            self.root, self.settings, self._wake, lambda key: self.enqueue_event(TaskCancelled(*key))
        )
        self._journal = Journal(chunk.execution_id if chunk is not None else None)
        self._dispatchers: dict[type, Callable[[Any], None]] = {
            RunTask: self._operations.run_task,
            StopTask: lambda command: self._operations.run_task(command.task, stop=True),
            CancelTask: self._cancel_task,
            StartTimer: self._operations.start_timer,
            CancelTimer: self._operations.cancel_timer,
            RequestIO: self._operations.request_io,
            StartChild: self._children.start_execution,
            StartChunk: self._start_chunk,
            CancelChild: self._children.cancel,
            BroadcastToChunks: self._children.broadcast,
            IncreaseAllocation: self._children.increase_allocation,
            ReleaseSlots: self._release_slots,
        }

    @property
    def parent(self) -> str | None:
        """Workflow id of the parent that waits for the end of this workflow."""
        if self.chunk is not None:
            return self.chunk.parent
        return self.resolved.parent.workflow_id if self.resolved.parent is not None else None

    @property
    def has_commands(self) -> bool:
        """True if commands wait for the next workflow task."""
        return bool(self._commands) or self._early_starts.is_due(self.engine, self.window.size)

    def enqueue_event(self, event: Event) -> None:
        """Add an event for the engine."""
        self.events.append(event)

    def enqueue_commands(self, commands: list[Command]) -> None:
        """Add the engine's commands to those that will be dispatched."""
        if commands and isinstance(commands[-1], Finish):
            self.finish = commands[-1]
        for command in commands:
            if isinstance(command, StartChild):
                set_execution(self.engine, command.node, self._children.execution_of(command))
        self._commands.extend(commands)

    def increase_slots(self, slots: int) -> None:
        """Use the slots that the execution allocates to this chunk from now on, also in later runs."""
        if slots <= self.slots:
            warn_ignored(PARENT_MESSAGE.name, f"the chunk has {self.slots} slots already")
            return
        self.slots = slots
        self.enqueue_event(AllocationIncreased(slots))

    def on_child_closed(self, event: ChildClosed) -> None:
        """Process the signal of a child workflow that it has closed. A report that no node expects is ignored."""
        if self.is_ready and not expects(self.engine, event):
            warn_ignored(CHILD_CLOSED.name, f"no child {event.chunk} of node {event.node!r}, attempt {event.attempt}, runs")
        else:
            self._children.on_closed(event)

    # --------------------------------------------------------------------------------------- loop

    async def run(self) -> Finish | None:
        """Process events until the engine finishes. Return None if the run should continue as new."""
        while True:
            self._start_early()
            self.dispatch_commands()
            if self.finish is not None:
                return self.finish
            workflow.set_current_details(details(self.engine, self.resolved))
            if self._should_continue_as_new():
                return None
            await self.wait(short_timer=self._short_timer_seconds())
            self.process_events()

    def watch_parent(self) -> None:
        """Cancel the run when its parent is gone; call this once per run."""
        if self.parent is not None:
            watching = self._children.watch_parent(self.parent, lambda: self.enqueue_event(CancelRequested("its parent is gone")))
            asyncio.create_task(watching)  # noqa: RUF006 - the loop is the workflow's

    async def wait(self, seconds: float | None = None, *, short_timer: float | None = None) -> None:
        """Wait for an event or a cancellation.

        Args:
            seconds: the maximum time, by a timer of the Temporal server.
            short_timer: the maximum time, by an activity; see `activity_calls.short_timer`.
        """
        if short_timer is not None and self._short_timer is None:
            self._short_timer = activity_calls.short_timer(short_timer)
            self._short_timer.add_done_callback(self._on_short_timer)
            self.window.begin_poll()
        try:
            await workflow.wait_condition(
                lambda: bool(self.events) or self._has_work or (short_timer is not None and self._short_timer is None),
                timeout=seconds,
            )
        except TimeoutError:
            return
        except asyncio.CancelledError:
            self._on_cancelled()

    def _wake(self) -> None:
        self._has_work = True

    def _on_short_timer(self, done: asyncio.Task[Any]) -> None:
        self._short_timer = None
        self.window.end_poll()

    def _short_timer_seconds(self) -> float | None:
        """Return the time after which the loop continues without an event; None: an event is sure to arrive."""
        if self.has_commands:
            return 0
        return self.window.poll_seconds() if self._may_window_grow else None

    async def drain(self) -> None:
        """Wait for short activities. The server rejects the end of a run while a result arrives, and repeats the task."""
        if self._short_timer is not None:
            await self.uncancelled(self._short_timer)
        if self._early_starts.starting is not None:
            with contextlib.suppress(ActivityError):  # the activities of the tries detect which of them were started
                await self.uncancelled(self._early_starts.starting)

    async def call(self, declaration: Activity[A, R], argument: A, *, summary: str | None = None) -> R:
        """Return the result of a control activity. A cancellation meanwhile becomes an event."""
        return declaration.read_result(await self.uncancelled(activity_calls.control(declaration, argument, summary=summary)))

    async def uncancelled(self, work: asyncio.Future[Any]) -> Any:
        """Return the result of ``work``. A cancellation meanwhile becomes an event."""
        while not work.done():
            try:
                await asyncio.shield(work)
            except asyncio.CancelledError:
                self._on_cancelled()
        return work.result()

    def _on_cancelled(self) -> None:
        reason = bounded(workflow.cancellation_reason() or "cancelled", MAX_REASON_BYTES)
        self.enqueue_event(CancelRequested(reason))

    def process_events(self) -> None:
        """Pass the enqueued events to the engine, and adapt the window."""
        at = now()
        completions = 0
        self.update_epoch()
        self._has_work = False
        while self.events and self.finish is None:
            self._steps += 1
            event = self.events.popleft()
            completions += isinstance(event, TASK_ENDS)
            self.enqueue_commands(self.engine.step(event, at))
        self._update_window()
        may_grow = self._may_window_grow and not self.has_commands
        has_grown = self.window.check(completions, may_grow=may_grow, limit=self.engine.capacity.limit)
        self._update_window()
        if has_grown:
            self.enqueue_commands(self.engine.flush())

    def update_epoch(self) -> None:
        """Pass the epoch of a reset to the engine, for the keys of the tries that start from now on."""
        if self.reset.epoch is not None:
            self.engine.epoch = self.reset.epoch

    @property
    def _may_window_grow(self) -> bool:
        """True if a task waits for the window."""
        early = self._early_starts
        return early.starting is None and (self.engine.is_windowed or early.waits_for_window(self.engine))

    def _update_window(self) -> None:
        """Set the number of task activities that the engine may start by itself."""
        self.engine.capacity.window = self._early_starts.window(self.window.size)

    def _start_early(self) -> None:
        """Start tries early if the window holds back many of them."""
        engine = self.engine
        room = self._early_starts.room(engine)
        if not room:
            return
        engine.capacity.window = engine.capacity.used + room
        self.enqueue_commands(engine.flush())
        unsent = [command for command in self._commands if isinstance(command, RunTask) and not command.resumed]
        tasks = unsent[FIRST:]
        if tasks:
            held = set(map(id, tasks))
            self._commands = deque(command for command in self._commands if id(command) not in held)
            self._early_starts.start(tasks, _fitting(tasks))
        self._update_window()

    def _should_continue_as_new(self) -> bool:
        if self._steps == 0 or self.engine.aborting or self.has_commands:
            return False
        threshold = self.settings.continue_as_new_events
        info = workflow.info()
        if info.get_current_history_size() > MAX_HISTORY_BYTES:
            return True
        return info.get_current_history_length() >= threshold if threshold else info.is_continue_as_new_suggested()

    # ----------------------------------------------------------------------------------- commands

    def dispatch_commands(self) -> None:
        """Dispatch commands in their order, within the limits of one workflow task. The others wait for the next task."""
        self._journal.write(self.engine)  # first, so that a reader finds the row of a node before those of its children
        held = len(self._early_starts)
        count = size = 0
        while count < MAX_COMMANDS and size < MAX_COMMAND_BYTES:
            command = self._commands.popleft() if self._commands else self._early_starts.next(self.engine, self.window.size)
            if command is None:
                break
            count += 1
            size += _size(command)
            dispatcher = self._dispatchers.get(type(command))
            if dispatcher is not None:
                dispatcher(command)
        if held and not len(self._early_starts):  # the engine starts tasks by itself again
            self._update_window()
            self.enqueue_commands(self.engine.flush())

    def _cancel_task(self, command: CancelTask) -> None:
        if not self._early_starts.stop(command):
            self._operations.cancel_task(command)

    def _start_chunk(self, command: StartChunk) -> None:
        execution_id = self.chunk.execution_id if self.chunk is not None else workflow.info().workflow_id
        self._children.start_chunk(command, execution_id, self.engine)

    def _release_slots(self, command: ReleaseSlots) -> None:
        chunk = self.chunk
        assert chunk is not None
        message = SlotsReleased(chunk.node, chunk.chunk, chunk.attempt, command.width)
        asyncio.create_task(signal_parent(chunk.parent, SLOTS_RELEASED, message))  # noqa: RUF006 - the loop is the workflow's


def _fitting(tasks: list[RunTask]) -> int:
    """Return the number of tasks, at least one, that fit into the argument of one activity."""
    size = 0
    for number, task in enumerate(tasks):
        size += _size(task)
        if size > MAX_COMMAND_BYTES:
            return max(1, number)
    return len(tasks)


def _size(command: Command | StopTask) -> int:
    """Return the approximate size in bytes of the Temporal command."""
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
    """Return the time of the workflow task in milliseconds since the epoch."""
    return workflow.time_ns() // 1_000_000
