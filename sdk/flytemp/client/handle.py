"""Handle of an execution: wait for it, watch it, read its outputs and logs, control it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from flytemp.client import execution_state, waiting_gates
from flytemp.client.control import execute_update, not_running, requester, terminate_children
from flytemp.client.logs import LogChunk, LogLink, LogReader, read_logs
from flytemp.client.retry import node_path, retry
from flytemp.client.watch import LiveView
from flytemp.errors import AlreadyExists, ExecutionAborted, ExecutionFailed, NotFound, TypeMismatch, WaitTimeout
from flytemp.layout import ExecutionLayout
from flytemp.literals.marks import without_marks
from flytemp.literals.types import Json, LiteralType
from flytemp.names import execution_name
from flytemp.protocol.workflow import ANSWER, PAUSE, RESUME, AnswerRequest, Pause, ResumeRequest
from flytemp.records.models import Execution, NodeExecution, Phase
from flytemp.temporal.workflows import describe_workflow, unavailable

if TYPE_CHECKING:
    from flytemp.client.client import Client

R = TypeVar("R", covariant=True)


class ExecutionHandle(Generic[R]):
    """Reference to one execution.

    ``R`` is the return type of the launched function, if the execution was launched from an object.

    Attributes:
        name: the execution's name.
        workflow_id: the id of its Temporal workflow.
    """

    def __init__(self, client: Client, workflow_id: str, result: Any = None) -> None:
        self._client = client
        self._result = result
        self.workflow_id = workflow_id
        self.name = execution_name(workflow_id)

    def __repr__(self) -> str:
        return f"ExecutionHandle({self.name!r})"

    async def describe(self) -> Execution:
        """Return the present state of the execution: live while it runs, its record once it is closed.

        Raises:
            NotFound: neither Temporal nor the store has the execution.
            TemporalUnavailable: Temporal does not answer.
        """
        return await execution_state.describe(self._client.temporal, self._client.store, self.workflow_id)

    async def nodes(self) -> list[NodeExecution]:
        """Return the present state of the execution's nodes.

        Raises:
            NotFound: neither Temporal nor the store has the execution.
        """
        return (await self.describe()).nodes

    async def wait(self, timeout: float | timedelta | None = None) -> Execution:
        """Wait until the execution is closed, and return it, whatever its phase.

        Args:
            timeout: the maximum time to wait, in seconds if it is a number; None waits without limit.

        Raises:
            WaitTimeout: the execution was not closed in time. It continues to run.
            NotFound: neither Temporal nor the store has the execution.
        """
        seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
        try:
            await asyncio.wait_for(self._closed(), seconds)
        except TimeoutError:
            execution = await self.describe()  # the execution may have closed just now, or long ago if the timeout is 0
            if execution.phase.is_final:
                return execution
            raise WaitTimeout(
                f"execution {self.name} is still running after {seconds:g} s", hint="it continues: wait again, or cancel it"
            ) from None
        return await self.describe()

    async def _closed(self) -> None:
        """Return when Temporal has closed the workflow. Each run's close event is awaited by a long poll."""
        description = await describe_workflow(self._client.temporal, self.workflow_id)
        if description is None:
            return
        run_id = description.run_id
        while run_id:
            try:
                last = await execution_state.close_event(self._client.temporal, self.workflow_id, run_id, wait=True)
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
        """Wait for the execution to succeed, and return its outputs by name as plain JSON.

        Args:
            timeout: as for `wait`.

        Raises:
            ExecutionFailed: the execution failed or timed out.
            ExecutionAborted: the execution was cancelled or terminated.
            WaitTimeout: the execution was not closed in time.
            NotFound: the outputs are not in this store.
        """
        return {name: without_marks(value) for name, value in (await self._literals(timeout)).items()}

    async def _literals(self, timeout: float | timedelta | None) -> dict[str, Json]:
        execution = await self.wait(timeout)
        raise_for_phase(execution)
        if execution.outputs is None:
            raise NotFound(
                f"the outputs of execution {self.name} are not in the store {self._client.store.uri}",
                hint="use the store of the worker that ran it; flytemp config view shows this client's store",
            )
        return execution.outputs

    async def result(self, timeout: float | timedelta | None = None) -> R:
        """Wait for an execution that was launched from an object, and return its result as Python values.

        Args:
            timeout: as for `wait`.

        Raises:
            NotFound: the execution was launched by name, so that its Python types are unknown; use `outputs`.
            ExecutionFailed, ExecutionAborted, WaitTimeout: as for `outputs`.
        """
        if self._result is None:
            raise NotFound(
                f"the Python types of the outputs of execution {self.name} are unknown",
                hint="it was launched by name: use outputs()",
            )
        value: R = self._result(await self._literals(timeout))
        return value

    async def watch(self) -> AsyncIterator[Execution]:
        """Yield the execution now and after each change. The last one is closed.

        Raises:
            NotFound: neither Temporal nor the store has the execution.
            TemporalUnavailable: Temporal does not answer.
        """
        view = LiveView(self._client.temporal, self._client.store, self.workflow_id)
        try:
            async for execution in view.changes():
                yield execution
        finally:
            await view.close()

    async def logs(
        self, node: str | None = None, *, attempt: int | None = None, follow: bool = False
    ) -> AsyncIterator[LogChunk]:
        """Yield the output of the execution's tasks.

        Args:
            node: the path or the name of a node, for the output of this node and the nodes inside it; None for all nodes.
            attempt: the number of an attempt; None for all attempts.
            follow: continue to yield new output until the execution is closed.

        Raises:
            NotFound: there is no such execution or node.
        """
        async for chunk in read_logs(await self._log_reader(node, attempt), self._is_closed, follow):
            yield chunk

    async def log_links(self, node: str | None = None, *, attempt: int | None = None) -> list[LogLink]:
        """Return links to the output of the execution's tasks in other log systems, as the operator configured them.

        Args:
            node: as for `logs`.
            attempt: as for `logs`.

        Raises:
            NotFound: there is no such execution or node.
        """
        return await asyncio.to_thread((await self._log_reader(node, attempt)).links)

    async def _log_reader(self, node: str | None, attempt: int | None) -> LogReader:
        execution = await self.describe()
        path = node_path(execution, node) if node is not None else None
        layout = ExecutionLayout(execution.namespace, execution.workflow_id, execution.run_id)
        return LogReader(self._client.store, layout, path, attempt)

    async def _is_closed(self) -> bool:
        description = await describe_workflow(self._client.temporal, self.workflow_id)
        return description is None or description.status is not WorkflowExecutionStatus.RUNNING

    # ------------------------------------------------------------------------------ gates, pause, retry

    async def gates(self) -> list[NodeExecution]:
        """Return the gates that are waiting (phase RUNNING), then those that were answered (``gate.answer``).

        Raises:
            NotFound: neither Temporal nor the store has the execution.
        """
        return waiting_gates.gates_of(await self.describe())

    async def gate_type(self, gate: str) -> LiteralType | None:
        """Return the type of the value that an input gate takes, or None if the type is not known yet.

        Args:
            gate: the gate's name, or the path of its node.
        """
        return await waiting_gates.gate_type(await self.describe(), gate, self._client.registry)

    async def approve(self, gate: str, reason: str | None = None) -> list[str]:
        """Approve a gate. An answer to a gate that the execution has not reached yet is kept until then.

        Args:
            gate: the gate's name, or the path of its node.
            reason: a text that is recorded with the answer.

        Returns:
            The paths of the nodes that were waiting for the answer.

        Raises:
            NotFound: there is no such gate, or the execution is not running.
            AlreadyExists: the gate was answered before.
            TypeMismatch: the gate takes a value; use `set_input`.
            TemporalUnavailable: no worker answers.
        """
        return await self._answer(AnswerRequest(gate, approved=True, reason=reason or "", by=requester()))

    async def reject(self, gate: str, reason: str | None = None) -> list[str]:
        """Reject a gate: its node fails with ``reason``. Arguments, result and errors are those of `approve`."""
        return await self._answer(AnswerRequest(gate, approved=False, reason=reason or "", by=requester()))

    async def set_input(self, gate: str, value: Any) -> list[str]:
        """Give an input gate its value.

        Args:
            gate: the gate's name, or the path of its node.
            value: JSON, or a Python value (date, enum, dataclass, …). Local files are uploaded if the gate's type is known.

        Returns:
            The paths of the nodes that were waiting for the value.

        Raises:
            TypeMismatch: the value has another type, or the gate takes an approval.
            NotFound, AlreadyExists, TemporalUnavailable: as for `approve`.
        """
        type_ = await self.gate_type(gate)
        literal = await asyncio.to_thread(waiting_gates.answer_literal, value, type_, self._client.store)
        return await self._answer(AnswerRequest(gate, value=literal, by=requester()))

    async def _answer(self, request: AnswerRequest) -> list[str]:
        hint = f"flytemp get execution {self.name} shows its gates and their answers"
        hints = {kind.code: hint for kind in (NotFound, AlreadyExists, TypeMismatch)}
        return (await execute_update(self._client.temporal, self.workflow_id, ANSWER, request, hints)).nodes

    async def pause(self, reason: str = "") -> None:
        """Pause the execution: no new task starts until `resume`, and running tasks continue. The phase becomes PAUSED.

        Args:
            reason: a text that is recorded with the pause.

        Raises:
            NotFound: the execution is not running.
            TemporalUnavailable: no worker answers.
        """
        await execute_update(self._client.temporal, self.workflow_id, PAUSE, Pause(by=requester(), reason=reason), {})

    async def resume(self) -> None:
        """Resume a paused execution.

        Raises:
            NotFound: the execution is not running.
            TemporalUnavailable: no worker answers.
        """
        await execute_update(self._client.temporal, self.workflow_id, RESUME, ResumeRequest(by=requester()), {})

    async def retry(self, nodes: Sequence[str] | None = None) -> ExecutionHandle[R]:
        """Retry failed nodes. Nodes that succeeded are not repeated.

        A running execution retries the nodes at once. A closed execution continues under its name where it ended.

        Args:
            nodes: the paths or names of failed nodes; None for every failed node.

        Returns:
            This handle.

        Raises:
            NotFound: there is no such execution or node, or the execution's record is not in this store.
            InputError: no node failed.
            AlreadyExists: the execution was started again meanwhile.
        """
        await retry(self._client, self.workflow_id, nodes)
        return self

    # --------------------------------------------------------------------------------------------- stop

    async def cancel(self, reason: str = "") -> None:
        """Request the execution to stop: its tasks are stopped, its record is written, its phase becomes ABORTED.

        Args:
            reason: a text that is recorded with the request.

        Raises:
            NotFound: the execution is not running.
            TemporalUnavailable: Temporal does not answer.
        """
        await self._stop(
            self._client.temporal.get_workflow_handle(self.workflow_id).cancel, reason=reason or "cancelled by the user"
        )

    async def terminate(self, reason: str = "") -> None:
        """End the execution and its child executions at once, without running any more workflow code.

        Workers stop its tasks when they notice. The execution leaves no record in the store and cannot be retried.

        Args:
            reason: a text that Temporal records.

        Raises:
            NotFound: the execution is not running.
            TemporalUnavailable: Temporal does not answer.
        """
        reason = reason or "terminated by the user"
        await self._stop(self._client.temporal.get_workflow_handle(self.workflow_id).terminate, reason=reason)
        await terminate_children(self._client.temporal, self.workflow_id, reason)

    async def _stop(self, call: Any, *, reason: str) -> None:
        if await self._is_closed():
            raise await not_running(self._client.temporal, self.workflow_id)
        try:
            await call(reason=reason)
        except RPCError as error:
            if error.status == RPCStatusCode.NOT_FOUND:
                raise NotFound(f"execution {self.name} ended meanwhile") from error
            raise unavailable(error) from error


def raise_for_phase(execution: Execution) -> None:
    """Raise the error for a closed execution that did not succeed.

    Raises:
        ExecutionFailed: the execution failed or timed out.
        ExecutionAborted: the execution was cancelled or terminated.
    """
    if execution.phase is Phase.SUCCEEDED:
        return
    error = execution.error
    reason = error.message if error else "no reason is recorded"
    node = f" in node {error.node} ({error.task})" if error and error.node else ""
    text = f"execution {execution.name} is {execution.phase}{node}: {reason}"
    kind = ExecutionAborted if execution.phase is Phase.ABORTED else ExecutionFailed
    raise kind(text, execution=execution.name, hint=f"flytemp get execution {execution.name}")
