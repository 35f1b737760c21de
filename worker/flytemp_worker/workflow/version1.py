"""Behaviour version 1 of the interpreter: the loop between the engine and Temporal.

A change here that alters the order of commands for an existing history needs a new version beside this one;
the recorded histories in tests/replay tell.
"""

from __future__ import annotations

import asyncio
from collections import deque
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, CancelledError, is_cancelled_exception

from flytemp.spec.pages import from_pages, to_pages
from flytemp_worker.engine import (
    CancelRequested,
    CancelTask,
    CancelTimer,
    Command,
    Engine,
    Event,
    Finish,
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
from flytemp_worker.workflow import calls
from flytemp_worker.workflow.progress import details, upsert_search_attributes

FLUSH_COMMANDS = 256
FLUSH_BYTES = 1024 * 1024
"""Commands of one workflow task: whichever bound comes first (the server kills a run over 4 MiB of them)."""

Key = tuple[str, int, int]


async def run(resolved: dict[str, Any], continued: dict[str, Any] | None) -> dict[str, Any]:
    """Run the plan to its end and return the workflow's result."""
    if continued is None and resolved["search_attributes"]:
        upsert_search_attributes(resolved)
    for warning in resolved["warnings"] if continued is None else ():
        workflow.logger.warning("%s: %s", resolved["execution"], warning)
    shell = Shell(resolved, continued)
    await shell.load()
    return await shell.run()


class Shell:
    """One run of one execution: carries out the engine's commands and feeds it what came of them."""

    def __init__(self, resolved: dict[str, Any], continued: dict[str, Any] | None) -> None:
        self.resolved = resolved
        self.root: str = resolved["root"]
        self.settings: dict[str, Any] = resolved["settings"]
        self.continued = continued
        self.generation: int = continued["generation"] if continued else 0
        self.engine: Engine
        self.finish: Finish | None = None
        self.steps = 0
        self._events: deque[Event] = deque()
        self._backlog: deque[Command] = deque()
        self._activities: dict[Key, workflow.ActivityHandle[Any]] = {}
        self._timers: dict[Key, asyncio.Task[None]] = {}

    # ------------------------------------------------------------------------------------ loading

    async def load(self) -> None:
        """Fetch the plan, and the state when this run continues another, and start the engine.

        A cancellation meanwhile is the engine's first event: tasks may be in flight from the run before.
        """
        plan = Plan(from_pages(await self._plan_pages()))
        limits = {
            "max_parallelism": self.settings["max_parallelism"],
            "max_in_flight": self.settings["max_in_flight"],
            "max_system_tries": self.settings["max_system_tries"],
        }
        if self.continued is None:
            self.engine = Engine(plan, self.resolved["inputs"], **limits)
            self.engine.seed = self.root
            self._take(self.engine.begin(_now()))
            return
        pages = await self._pages(calls.LOAD_STATE, self.continued["pages"])
        self.engine = rows.restore(plan, from_pages(pages), **limits)
        self.engine.seed = self.root
        self._take(self.engine.resume(_now()))
        if self._events:  # what is in flight hears of the cancellation only when it was issued again
            self._carry_out()
            await self._uncancelled(asyncio.ensure_future(workflow.sleep(0.01)))

    async def _plan_pages(self) -> list[str]:
        if self.continued is None and self.resolved["plan"] is not None:
            return [self.resolved["plan"]]
        return await self._pages(calls.PLAN_PAGE, self.resolved["plan_pages"])

    async def _pages(self, name: str, count: int) -> list[str]:
        argument = {"execution": self.root, "generation": self.generation}
        handles = [calls.control(name, {**argument, "page": page}, summary=f"page {page + 1}") for page in range(count)]
        return [await self._uncancelled(handle) for handle in handles]

    # --------------------------------------------------------------------------------------- loop

    async def run(self) -> dict[str, Any]:
        """Until the engine is finished. Continues as new, with work in flight, when history grows long."""
        while True:
            self._carry_out()
            if self.finish is not None:
                return await self._close(self.finish)
            workflow.set_current_details(details(self.engine, self.resolved))
            if self._should_continue_as_new():
                await self._continue_as_new()
            else:
                await self._wait(0.01 if self._backlog else None)
            self._feed()

    async def _wait(self, seconds: float | None) -> None:
        """Until an event, a cancellation or the time-out."""
        try:
            await workflow.wait_condition(lambda: bool(self._events), timeout=seconds)
        except TimeoutError:
            return
        except asyncio.CancelledError:
            self._cancelled()

    async def _uncancelled(self, work: asyncio.Future[Any]) -> Any:
        """The work's result, even when a cancellation arrives meanwhile: that is remembered."""
        while not work.done():
            try:
                await asyncio.shield(work)
            except asyncio.CancelledError:
                self._cancelled()
        return work.result()

    def _cancelled(self) -> None:
        self._events.append(CancelRequested(workflow.cancellation_reason() or "cancelled"))

    def _feed(self) -> None:
        at = _now()
        while self._events and self.finish is None:
            self.steps += 1
            self._take(self.engine.step(self._events.popleft(), at))

    def _take(self, commands: list[Command]) -> None:
        if commands and isinstance(commands[-1], Finish):
            self.finish = commands[-1]
        self._backlog.extend(commands)

    # ----------------------------------------------------------------------------------- commands

    def _carry_out(self) -> None:
        """Commands in their order, within the bounds of one workflow task; the rest waits for the next one."""
        count = size = 0
        while self._backlog and count < FLUSH_COMMANDS and size < FLUSH_BYTES:
            command = self._backlog.popleft()
            count += 1
            if isinstance(command, RunTask):
                size += 600 + len(repr(command.inputs))
                self._run_task(command)
            elif isinstance(command, StartTimer):
                self._start_timer(command)
            elif isinstance(command, CancelTask):
                self._cancel(self._activities.get((command.node, command.attempt, command.try_)))
            elif isinstance(command, CancelTimer):
                self._cancel(self._timers.pop((command.node, command.attempt, command.try_), None))

    def _cancel(self, work: asyncio.Task[Any] | None) -> None:
        """Cancel it, unless it ended in this very activation: then its event is already on the way to the engine."""
        if work is not None:
            work.cancel()

    def _run_task(self, command: RunTask) -> None:
        key = (command.node, command.attempt, command.try_)
        handle = calls.run_task(command, self.root, self.settings["task_queue"], self.settings["heartbeat_seconds"])
        self._activities[key] = handle
        handle.add_done_callback(lambda done: self._on_task(key, done))

    def _on_task(self, key: Key, done: asyncio.Task[Any]) -> None:
        del self._activities[key]
        self._events.append(_event(key, done))

    def _start_timer(self, command: StartTimer) -> None:
        key = (command.node, command.attempt, command.try_)

        async def fire() -> None:
            await workflow.sleep(timedelta(seconds=command.seconds), summary=calls.short(f"{command.node}: {command.why}"))
            self._timers.pop(key, None)
            self._events.append(TimerFired(*key))

        self._timers[key] = asyncio.create_task(fire())

    # --------------------------------------------------------------------------- continue as new

    def _should_continue_as_new(self) -> bool:
        if self.steps == 0 or self.engine.aborting or self._backlog:
            return False
        threshold: int = self.settings["continue_as_new_events"]
        info = workflow.info()
        return info.get_current_history_length() >= threshold if threshold else info.is_continue_as_new_suggested()

    async def _continue_as_new(self) -> None:
        """Drain for a while, save the state, start the next run, which issues what is in flight again.

        A cancellation on the way wins: then this run goes on and stops in order.
        """
        self.engine.hold()
        deadline = workflow.time() + self.settings["drain_seconds"]
        while self.engine.running and self.finish is None and not self.engine.aborting:
            left = deadline - workflow.time()
            if left <= 0:
                break
            await self._wait(left)
            self._feed()
            self._carry_out()
        if self.finish is not None:
            return
        if not self.engine.aborting and await self._save(generation := self.generation + 1, rows.state(self.engine)):
            resolved = {**self.resolved, "plan": None}
            pages = self._saved_pages
            workflow.continue_as_new({"continued": {"generation": generation, "pages": pages, "resolved": resolved}})
        self.engine.holding = False

    async def _save(self, generation: int, state: Any) -> bool:
        """Save ``state`` page by page; False when a cancellation came between."""
        pages = to_pages(state)
        self._saved_pages = len(pages)
        if self.resolved["plan"] is not None:  # a plan of one page lies only in this run's history
            argument = {"execution": self.root, "page": 0, "text": self.resolved["plan"]}
            await self._uncancelled(calls.control(calls.SAVE_PLAN, argument, summary="the plan, for the runs to come"))
        for number, page in enumerate(pages):
            argument = {"execution": self.root, "generation": generation, "page": number, "text": page}
            summary = f"state, page {number + 1} of {len(pages)}"
            await self._uncancelled(calls.control(calls.SAVE_STATE, argument, summary=summary))
        return not any(isinstance(event, CancelRequested) for event in self._events)

    # -------------------------------------------------------------------------------------- close

    async def _close(self, finish: Finish) -> dict[str, Any]:
        """Record the execution, then end the workflow as its phase says."""
        state = to_pages(rows.rows(self.engine))
        self.generation += 1
        argument: dict[str, Any] = {
            "execution": self.root,
            "phase": finish.phase,
            "outputs": finish.outputs,
            "error": finish.error,
            "reason": finish.reason,
            "warnings": self.resolved["warnings"],
            "closed": _now(),
        }
        if len(state) == 1:
            argument["rows"] = state[0]
        else:
            argument["rows_pages"] = [self.generation, len(state)]
            for number, page in enumerate(state):
                saved = {"execution": self.root, "generation": self.generation, "page": number, "text": page}
                await self._uncancelled(
                    calls.control(calls.SAVE_STATE, saved, summary=f"nodes, page {number + 1} of {len(state)}")
                )
        result: dict[str, Any] = await self._uncancelled(
            calls.control(calls.CLOSE, argument, summary="record the execution")
        )
        workflow.set_current_details(details(self.engine, self.resolved))
        if result["phase"] == "ABORTED":
            raise CancelledError(finish.reason or "cancelled")
        if result["phase"] == "FAILED":
            error = result["error"]
            where = f"node {error['node']} ({error['task']}): " if error.get("node") else ""
            raise ApplicationError(f"{where}{error['message']}", error, type=error["code"], non_retryable=True)
        return {key: value for key, value in result.items() if key in ("execution", "outputs", "outputs_uri")}


def _now() -> int:
    return workflow.time_ns() // 1_000_000


def _event(key: Key, done: asyncio.Task[Any]) -> Event:
    """What became of a task's activity, as the engine's event."""
    if done.cancelled():
        return TaskCancelled(*key)
    error = done.exception()
    if error is None:
        result = done.result()
        return TaskSucceeded(*key, result.get("outputs"), result["size"])
    if is_cancelled_exception(error):
        return TaskCancelled(*key)
    cause = error.cause if isinstance(error, ActivityError) else error
    detail = cause.details[0] if isinstance(cause, ApplicationError) and cause.details else None
    if isinstance(detail, dict) and {"kind", "code", "message"} <= detail.keys():
        lost = detail["kind"] == "SYSTEM" and detail["code"] == "Lost"  # a user's exception may have that name, too
        return TaskLost(*key, detail["message"]) if lost else TaskFailed(*key, detail)
    return TaskLost(*key, f"the activity ended without an answer: {cause or error}")
