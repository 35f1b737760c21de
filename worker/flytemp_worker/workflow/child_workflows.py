"""The child workflows of a shell: executions of launch plans, and parts of maps.

They are left alone when their parent closes (Temporal would stop them when it continues as new) and tell it by a signal
that they are over. While the run that started them lasts, Temporal tells as well, also of one that could not; a run that
continues another asks now and then. They themselves ask now and then whether their parent is still there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ChildWorkflowError, FailureError, WorkflowAlreadyStartedError

from flytemp.launching.execution_names import child_name
from flytemp.names import workflow_id as execution_id
from flytemp.temporal.workflows import phase_of_failure
from flytemp_worker.engine import CancelChild, ChildClosed, Event, IncreaseAllocation, StartChild, StartChunk
from flytemp_worker.workflow import activity_calls

Key = tuple[str, int, int]

_EXECUTION = -1
_FIRST_LOOK = 15.0
_LAST_LOOK = 600.0
"""Seconds between looks at relatives that may have gone without a word: growing from the first to the last."""


class ChildWorkflows:
    """The children of one run of a shell, and its parent. ``hear`` takes each event as it happens."""

    def __init__(self, resolved: dict[str, Any], hear: Callable[[Event], None]) -> None:
        self._resolved = resolved
        self._hear = hear
        self._ids: dict[Key, str] = {}
        self._starting: dict[Key, list[Callable[[str], None]]] = {}  # not there yet: what is to be done when they are
        self._unwatched: set[Key] = set()  # what this run did not start: Temporal will not tell it of their end
        self._watcher: asyncio.Task[None] | None = None

    def execution_of(self, command: StartChild) -> str:
        """The workflow id of the execution that a launch plan's node starts."""
        resolved = self._resolved
        name = child_name(resolved["execution"], resolved["root"], command.node, command.attempt)
        return execution_id(*self._place_of(command), name)

    def _place_of(self, command: StartChild) -> tuple[str, str]:
        resolved, plan = self._resolved, command.launch_plan
        return plan["project"] or resolved["project"], plan["domain"] or resolved["domain"]

    def start_execution(self, command: StartChild) -> None:
        resolved, plan = self._resolved, command.launch_plan
        project, domain = self._place_of(command)
        own = (project, domain) == (resolved["project"], resolved["domain"])
        launch: dict[str, Any] = {
            "launch_plan": plan["launch_plan"],
            "project": project,
            "domain": domain,
            "version": plan["version"] or (resolved["version"] if own else None),
            "inputs": command.inputs,
            "parent": {
                "workflow_id": workflow.info().workflow_id,
                "node": command.node,
                "attempt": command.attempt,
                "execution": resolved["execution"],
                "options": resolved.get("options") or {},
            },
        }
        if command.inputs_uri is not None:
            launch["inputs_uri"] = command.inputs_uri
        key = (command.node, _EXECUTION, command.attempt)
        self._start(key, "FlytempWorkflow", launch, self.execution_of(command), command.resumed)

    def start_part(self, command: StartChunk, execution: str, told: dict[str, Any]) -> None:
        """``execution`` is the workflow id of that which it is a part of; ``told`` is what it should know: the answers to
        gates so far, whether the execution is paused."""
        info = workflow.info()
        part = {
            "resolved": {**self._resolved, "plan": None, "inputs": None, "warnings": [], "part": None, "retry": None},
            "parent": info.workflow_id,
            "execution_id": execution,
            "told": told,
            **{name: getattr(command, name) for name in command.__slots__ if name != "resumed"},
        }
        key = (command.node, command.part, command.attempt)
        identifier = activity_calls.part_id(info.workflow_id, command.node, command.part, command.attempt)
        self._start(key, activity_calls.PART_WORKFLOW, part, identifier, command.resumed)

    def _start(self, key: Key, kind: str, argument: dict[str, Any], identifier: str, resumed: bool) -> None:
        self._ids[key] = identifier
        if resumed:
            self._watch(key)
        else:
            self._starting[key] = []
            asyncio.create_task(self._started(key, kind, argument, identifier))  # noqa: RUF006 - the loop is the workflow's

    async def _started(self, key: Key, kind: str, argument: dict[str, Any], identifier: str) -> None:
        try:
            handle = await workflow.start_child_workflow(
                kind,
                argument,
                id=identifier,
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                cancellation_type=workflow.ChildWorkflowCancellationType.ABANDON,
                static_summary=activity_calls.short(f"{key[0]} of {self._resolved['execution']}"),
            )
        except WorkflowAlreadyStartedError:
            self._is_there(key)
            self._watch(key)
            return
        self._is_there(key)
        try:
            await handle
            self._gone(key, "FAILED", "it ended without a word")  # its word comes before its end
        except (FailureError, asyncio.CancelledError) as error:
            self._gone(key, phase_of_failure(error), str(error.cause) if isinstance(error, ChildWorkflowError) else str(error))

    def _is_there(self, key: Key) -> None:
        for act in self._starting.pop(key):
            act(self._ids[key])

    def _gone(self, key: Key, phase: str, why: str) -> None:
        """It ended, and may not have said so."""
        if key not in self._ids:
            return
        node, part, attempt = key
        error = {"kind": "SYSTEM", "code": "ChildEnded", "message": f"{self._ids[key]} ended: {why}"}
        self._hear(ChildClosed(node, part, attempt, "LOST" if part != _EXECUTION else phase, error=error))

    def on_closed(self, message: dict[str, Any]) -> None:
        """A child's own word that it is over."""
        key = (message["node"], message["part"], message["attempt"])
        self._unwatched.discard(key)
        self._ids.pop(key, None)
        counts = message.get("counts") or (0, 0)
        closed = ChildClosed(
            *key, message["phase"], message.get("outputs"), message.get("outputs_uri"), message.get("size", 0),
            message.get("error"), (counts[0], counts[1]),
        )  # fmt: skip
        self._hear(closed)

    def cancel(self, command: CancelChild) -> None:
        key = (command.node, command.part, command.attempt)
        if key in self._ids:
            self._when_there(key, _cancel)

    def tell_parts(self, message: dict[str, Any]) -> None:
        for key in [key for key in self._ids if key[1] != _EXECUTION]:
            self._when_there(key, lambda identifier: _tell(identifier, message))

    def tell_part(self, command: IncreaseAllocation) -> None:
        key = (command.node, command.part, command.attempt)
        if key in self._ids:
            self._when_there(key, lambda identifier: _tell(identifier, {"width": command.width}))

    def _when_there(self, key: Key, act: Callable[[str], None]) -> None:
        """At once, or when it has started: Temporal refuses to start and cancel a child in one workflow task."""
        if key in self._starting:
            self._starting[key].append(act)
        else:
            act(self._ids[key])

    # ------------------------------------------------------------------------------------ looking

    def _watch(self, key: Key) -> None:
        self._unwatched.add(key)
        if self._watcher is None or self._watcher.done():
            self._watcher = asyncio.create_task(self._look_after_children())

    async def _look_after_children(self) -> None:
        seconds = _FIRST_LOOK
        while self._unwatched:
            await workflow.sleep(timedelta(seconds=seconds), summary="look after children")
            seconds = min(seconds * 2, _LAST_LOOK)
            looked = {key: self._ids[key] for key in self._unwatched if key in self._ids}
            if not looked:
                continue
            keys = sorted(looked)
            closed = await activity_calls.control(activity_calls.CLOSED_CHILDREN, {"workflows": [looked[key] for key in keys]})
            for key in keys:
                if looked[key] in closed and key in self._unwatched:
                    self._unwatched.discard(key)
                    self._gone(key, closed[looked[key]], "it closed without a word")

    async def look_after_parent(self, parent: str, lost: Callable[[], None]) -> None:
        """Call ``lost`` when the parent is gone: nobody waits for this workflow any more."""
        seconds = _FIRST_LOOK * 4
        while True:
            await workflow.sleep(timedelta(seconds=seconds), summary="look whether the parent is there")
            seconds = min(seconds * 2, _LAST_LOOK)
            if await activity_calls.control(activity_calls.CLOSED_CHILDREN, {"workflows": [parent]}):
                lost()
                return


def _cancel(identifier: str) -> None:
    asyncio.create_task(_quietly(workflow.get_external_workflow_handle(identifier).cancel()))  # noqa: RUF006


def _tell(identifier: str, message: dict[str, Any]) -> None:
    handle = workflow.get_external_workflow_handle(identifier)
    asyncio.create_task(_quietly(handle.signal(activity_calls.TELL, message)))  # noqa: RUF006


async def tell_parent(parent: str, message: dict[str, Any], name: str = activity_calls.CHILD_CLOSED) -> None:
    """Say something, by default that this workflow is over; a parent that is gone does not need to know."""
    await _quietly(workflow.get_external_workflow_handle(parent).signal(name, message))


async def _quietly(call: Any) -> None:
    try:
        await call
    except (FailureError, asyncio.CancelledError) as error:
        workflow.logger.info("not delivered: %s", error)
