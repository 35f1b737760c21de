"""Live view of a running execution, from its growing history. Each event is read once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from temporalio.client import Client as TemporalClient
from temporalio.client import WorkflowExecutionDescription, WorkflowExecutionStatus
from temporalio.service import RPCError

from flytemp.client import execution_state
from flytemp.client.history import HistoryReader
from flytemp.records.models import Execution
from flytemp.store.object_store import ObjectStore
from flytemp.temporal.workflows import describe_workflow, first_run_id

POLL_SECONDS = 0.5
"""Seconds between descriptions, which show what is not in the history: the tasks that a worker has picked up."""

CATCH_UP_SECONDS = 10.0
"""Seconds to wait for the event stream to reach the length of the history in a description."""


class LiveView:
    """Sequence of states of one workflow id, over all its runs. Call `close` at the end."""

    def __init__(self, temporal: TemporalClient, store: ObjectStore, workflow_id: str) -> None:
        self._temporal = temporal
        self._store = store
        self._workflow_id = workflow_id
        self._run_id = ""
        self._reader = HistoryReader(temporal.data_converter)
        self._stream: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    async def changes(self) -> AsyncIterator[Execution]:
        """Yield the execution now and after each change. The last one is closed.

        Raises:
            NotFound: neither Temporal nor the store has the execution.
            TemporalUnavailable: Temporal does not answer.
        """
        shown: Execution | None = None
        while True:
            self._changed.clear()
            execution = await self.current()
            if execution != shown:
                shown = execution
                yield execution
            if execution.phase.is_final:
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), POLL_SECONDS)

    async def close(self) -> None:
        """Stop reading the history."""
        if self._stream is not None:
            self._stream.cancel()
            await asyncio.wait([self._stream])

    async def current(self) -> Execution:
        """Return the present state of the execution. It raises like `changes`."""
        description = await describe_workflow(self._temporal, self._workflow_id)
        if description is None or description.status is not WorkflowExecutionStatus.RUNNING:
            return await execution_state.describe(self._temporal, self._store, self._workflow_id)
        if description.run_id != self._run_id or self._stream is None or self._stream.done():
            await self._follow(description.run_id)
        await self._catch_up(description)
        first = first_run_id(description)
        layout = await asyncio.to_thread(
            execution_state.layout_of, self._store, self._temporal.namespace, self._workflow_id, first
        )
        return await execution_state.assemble(self._temporal, self._store, layout, description, self._reader)

    async def _follow(self, run_id: str) -> None:
        await self.close()
        self._run_id = run_id
        self._reader = HistoryReader(self._temporal.data_converter)
        self._stream = asyncio.create_task(self._read(run_id, self._reader))
        self._stream.add_done_callback(lambda _: self._changed.set())

    async def _read(self, run_id: str, reader: HistoryReader) -> None:
        handle = self._temporal.get_workflow_handle(self._workflow_id, run_id=run_id)
        with contextlib.suppress(RPCError):  # the next description reports the error, or starts a new stream
            async for event in handle.fetch_history_events(wait_new_event=True):
                await reader.add_event(event)
                self._changed.set()

    async def _catch_up(self, description: WorkflowExecutionDescription) -> None:
        """Wait until the stream has read the events that the description counts."""
        stream = self._stream
        assert stream is not None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CATCH_UP_SECONDS):
                while self._reader.events < description.history_length and not stream.done():
                    self._changed.clear()
                    await self._changed.wait()
        if stream.done():
            stream.result()  # raises the error of an event that could not be read
