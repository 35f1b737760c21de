"""A launched execution: wait for it, watch it, read what it left, stop it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from flytemp.client import control, gates
from flytemp.client import describe as describing
from flytemp.client.logs import LogChunk, LogLink, LogReader, read_logs
from flytemp.client.relaunch import node_path, retry
from flytemp.client.terminating import terminate_children
from flytemp.client.watch import LiveView
from flytemp.errors import AlreadyExists, ExecutionAborted, ExecutionFailed, NotFound, TypeMismatch, WaitTimeout
from flytemp.layout import ExecutionLayout
from flytemp.literals.types import Json, LiteralType
from flytemp.names import execution_name
from flytemp.records.models import Execution, NodeExecution, Phase
from flytemp.temporal.workflows import describe_workflow, phase_of, unavailable

if TYPE_CHECKING:
    from flytemp.client.client import Client

R = TypeVar("R", covariant=True)


class ExecutionHandle(Generic[R]):
    """One execution, by its name. ``R`` is what the launched function returns, when it was launched as an object."""

    def __init__(self, client: Client, workflow_id: str, result: Any = None) -> None:
        self._client = client
        self._result = result
        self.workflow_id = workflow_id
        self.name = execution_name(workflow_id)

    def __repr__(self) -> str:
        return f"ExecutionHandle({self.name!r})"

    async def describe(self) -> Execution:
        """The execution as it is now: live, or its record.

        Raises:
            NotFound: nothing is known of it.
        """
        return await describing.describe(self._client.temporal, self._client.store, self.workflow_id)

    async def nodes(self) -> list[NodeExecution]:
        """Its nodes as they are now."""
        return (await self.describe()).nodes

    async def wait(self, timeout: float | timedelta | None = None) -> Execution:
        """The execution once it is final, whatever its phase. ``timeout`` is in seconds, None for ever.

        Raises:
            WaitTimeout: it is not final in time; it goes on.
            NotFound: nothing is known of it.
        """
        seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
        try:
            await asyncio.wait_for(self._closed(), seconds)
        except TimeoutError:
            execution = await self.describe()  # it may just have ended, and without time to wait, long ago
            if execution.phase.is_final:
                return execution
            raise WaitTimeout(
                f"execution {self.name} is not over after {seconds:g} s", hint="it goes on: wait again, or cancel it"
            ) from None
        return await self.describe()

    async def _closed(self) -> None:
        """Returns when Temporal has closed the workflow: a long poll for the close event, no polling of ours."""
        description = await describe_workflow(self._client.temporal, self.workflow_id)
        if description is None:
            return
        run_id = description.run_id
        while run_id:
            try:
                last = await describing.close_event(self._client.temporal, self.workflow_id, run_id, wait=True)
                if last is None:
                    return
                run_id = last.workflow_execution_continued_as_new_event_attributes.new_execution_run_id
            except RPCError as error:
                if error.status == RPCStatusCode.NOT_FOUND:
                    return
                if error.status not in (RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED):
                    raise unavailable(error) from error
                await asyncio.sleep(1)

    async def outputs(self, timeout: float | timedelta | None = None) -> dict[str, Json]:
        """Its outputs by name, as plain JSON, once it succeeded.

        Raises:
            ExecutionFailed: it failed or timed out.
            ExecutionAborted: it was cancelled or terminated.
            WaitTimeout: as in `wait`.
            NotFound: its outputs are not in this store.
        """
        execution = await self.wait(timeout)
        raise_for_phase(execution)
        if execution.outputs is None:
            raise NotFound(
                f"the outputs of {self.name} are not in the store {self._client.store.uri}",
                hint="is it the store of the worker that ran it? flytemp config view shows this one",
            )
        return execution.outputs

    async def result(self, timeout: float | timedelta | None = None) -> R:
        """What the launched function returns, as Python values; for executions launched from an object.

        Raises:
            NotFound: the execution was launched by name, so its Python types are not known here; use `outputs`.
            ExecutionFailed, ExecutionAborted, WaitTimeout: as in `outputs`.
        """
        if self._result is None:
            raise NotFound(
                f"the Python types of {self.name} are not known here", hint="it was launched by name: use outputs()"
            )
        value: R = self._result(await self.outputs(timeout))
        return value

    async def watch(self) -> AsyncIterator[Execution]:
        """The execution after each change; the last one is final."""
        view = LiveView(self._client.temporal, self._client.store, self.workflow_id)
        try:
            async for execution in view.changes():
                yield execution
        finally:
            await view.close()

    async def logs(
        self, node: str | None = None, *, attempt: int | None = None, follow: bool = False
    ) -> AsyncIterator[LogChunk]:
        """What its tasks printed; of one node, or one attempt of it. ``follow`` goes on until it is final.

        Raises:
            NotFound: there is no such execution or node.
        """
        async for chunk in read_logs(await self._log_reader(node, attempt), self._is_over, follow):
            yield chunk

    async def log_links(self, node: str | None = None, *, attempt: int | None = None) -> list[LogLink]:
        """Where else the output of its tasks can be read, as the operator's policy says; of one node, or one attempt of it.

        Raises:
            NotFound: there is no such execution or node.
        """
        return await asyncio.to_thread((await self._log_reader(node, attempt)).links)

    async def _log_reader(self, node: str | None, attempt: int | None) -> LogReader:
        execution = await self.describe()
        path = node_path(execution, node) if node is not None else None
        layout = ExecutionLayout(execution.namespace, execution.workflow_id, execution.run_id)
        return LogReader(self._client.store, layout, path, attempt)

    async def _is_over(self) -> bool:
        description = await describe_workflow(self._client.temporal, self.workflow_id)
        return description is None or description.status is not WorkflowExecutionStatus.RUNNING

    # ------------------------------------------------------------------------------ gates, pause, retry

    async def gates(self) -> list[NodeExecution]:
        """Its gates that wait (phase RUNNING) or were answered (``gate.answer``), those that wait first."""
        return gates.gates_of(await self.describe())

    async def gate_type(self, gate: str) -> LiteralType | None:
        """The type of the value that an input gate takes; None where nobody knows it yet."""
        return await gates.gate_type(await self.describe(), gate, self._client.registry)

    async def approve(self, gate: str, reason: str | None = None) -> list[str]:
        """Let ``gate``, a gate's name or its node's path, pass. The answer is kept until the run reaches it.

        Returns the paths of the nodes that waited for it.

        Raises:
            NotFound: there is no such gate, or the execution is not running.
            AlreadyExists: it was answered already.
            TypeMismatch: it waits for a value, see `set_input`.
        """
        return await self._answer(gate, {"approved": True, "reason": reason or ""})

    async def reject(self, gate: str, reason: str | None = None) -> list[str]:
        """Have ``gate`` fail: its node is FAILED with ``reason``. Otherwise as `approve`."""
        return await self._answer(gate, {"approved": False, "reason": reason or ""})

    async def set_input(self, gate: str, value: Any) -> list[str]:
        """Give ``gate`` the value that it waits for. Otherwise as `approve`.

        Args:
            gate: its name, or its node's path.
            value: JSON as for an input, or a Python value: dates, enums, dataclasses, … and local files, which are
                uploaded where the gate's type is known.

        Raises:
            TypeMismatch: the value is of another type, or it waits for an approval.
        """
        type_ = await self.gate_type(gate)
        literal = await asyncio.to_thread(gates.answer_literal, value, type_, self._client.store)
        return await self._answer(gate, {"value": literal})

    async def _answer(self, gate: str, answer: Mapping[str, Json]) -> list[str]:
        hint = f"flytemp get execution {self.name} shows its gates, and who answered which"
        hints = {kind.code: hint for kind in (NotFound, AlreadyExists, TypeMismatch)}
        result = await self._update(control.ANSWER, {"gate": gate, **answer}, hints)
        return [str(path) for path in result.get("nodes", [])]

    async def pause(self, reason: str = "") -> None:
        """Start nothing new until `resume`: what runs goes on, and its phase is PAUSED.

        Raises:
            NotFound: it is not running.
        """
        await self._update(control.PAUSE, {"reason": reason}, {})

    async def resume(self) -> None:
        """Go on after `pause`.

        Raises:
            NotFound: it is not running.
        """
        await self._update(control.RESUME, {}, {})

    async def retry(self, nodes: Sequence[str] | None = None) -> ExecutionHandle[R]:
        """Try failed nodes again, by their paths or names; None: every one. What succeeded is not repeated.

        An execution that runs takes them up again, one that is over goes on under its name where it ended.

        Raises:
            NotFound: there is no such execution or node, or its record is not in this store.
            InputError: nothing of it failed.
            AlreadyExists: it was started again meanwhile.
        """
        await retry(self._client, self.workflow_id, nodes)
        return self

    async def _update(self, name: str, argument: Mapping[str, Json], hints: Mapping[str, str]) -> dict[str, Any]:
        told = {**argument, "by": control.who()}
        return await control.update(self._client.temporal, self.workflow_id, name, told, hints)

    # --------------------------------------------------------------------------------------------- stop

    async def cancel(self, reason: str = "") -> None:
        """Ask it to stop: tasks are stopped in order, the record is written, the phase becomes ABORTED.

        Raises:
            NotFound: it is not running.
        """
        await self._stop(
            self._client.temporal.get_workflow_handle(self.workflow_id).cancel, reason=reason or "cancelled by the user"
        )

    async def terminate(self, reason: str = "") -> None:
        """End it at once: no code of the workflow runs any more; workers stop its tasks when they hear of it.

        The executions that it started end with it.

        Raises:
            NotFound: it is not running.
        """
        reason = reason or "terminated by the user"
        await self._stop(self._client.temporal.get_workflow_handle(self.workflow_id).terminate, reason=reason)
        await terminate_children(self._client.temporal, self.workflow_id, reason)

    async def _stop(self, call: Any, *, reason: str) -> None:
        description = await describe_workflow(self._client.temporal, self.workflow_id)
        if description is None:
            raise NotFound(f"there is no execution {self.name!r}", hint="flytemp list executions shows what there is")
        if description.status is not WorkflowExecutionStatus.RUNNING:
            phase = phase_of(description.status)
            raise NotFound(
                f"execution {self.name} is not running: it is {phase}", hint=f"flytemp get execution {self.name}"
            )
        try:
            await call(reason=reason)
        except RPCError as error:
            if error.status == RPCStatusCode.NOT_FOUND:
                raise NotFound(f"execution {self.name} ended meanwhile") from error
            raise unavailable(error) from error


def raise_for_phase(execution: Execution) -> None:
    """Raise what a final phase other than SUCCEEDED means.

    Raises:
        ExecutionFailed, ExecutionAborted: see `ExecutionHandle.outputs`.
    """
    if execution.phase is Phase.SUCCEEDED:
        return
    why = execution.error.message if execution.error else "no reason is recorded"
    node = (
        f" in node {execution.error.node} ({execution.error.task})" if execution.error and execution.error.node else ""
    )
    text = f"execution {execution.name} is {execution.phase}{node}: {why}"
    kind = ExecutionAborted if execution.phase is Phase.ABORTED else ExecutionFailed
    raise kind(text, execution=execution.name, hint=f"flytemp get execution {execution.name}")
