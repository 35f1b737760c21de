"""Watch a running execution: its history as it grows, each event read once, however long the history is."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from temporalio.client import Client as TemporalClient
from temporalio.client import WorkflowExecutionDescription, WorkflowExecutionStatus
from temporalio.service import RPCError

from flytemp.client import describe as describing
from flytemp.client.history import HistoryReader
from flytemp.records.models import Execution
from flytemp.store.object_store import ObjectStore
from flytemp.temporal.workflows import describe_workflow, first_run_id

LOOK_SECONDS = 0.5
"""How often Temporal is asked what history does not tell: which tasks a worker has taken."""

CATCH_UP_SECONDS = 10.0


class LiveView:
    """Follows the runs of one workflow id. Close it when done."""

    def __init__(self, temporal: TemporalClient, store: ObjectStore, workflow_id: str) -> None:
        self._temporal = temporal
        self._store = store
        self._workflow_id = workflow_id
        self._run_id = ""
        self._reader = HistoryReader(temporal.data_converter)
        self._stream: asyncio.Task[None] | None = None
        self._news = asyncio.Event()

    async def changes(self) -> AsyncIterator[Execution]:
        """The execution now and after each change; the last one is final.

        Raises:
            NotFound: neither Temporal nor the store knows it.
            TemporalUnavailable: Temporal does not answer.
        """
        shown: Execution | None = None
        while True:
            self._news.clear()
            execution = await self._look()
            if execution != shown:
                shown = execution
                yield execution
            if execution.phase.is_final:
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), LOOK_SECONDS)

    async def close(self) -> None:
        """Stop following."""
        if self._stream is not None:
            self._stream.cancel()
            await asyncio.wait([self._stream])

    async def _look(self) -> Execution:
        description = await describe_workflow(self._temporal, self._workflow_id)
        if description is None or description.status is not WorkflowExecutionStatus.RUNNING:
            return await describing.describe(self._temporal, self._store, self._workflow_id)
        if description.run_id != self._run_id or self._stream is None or self._stream.done():
            await self._follow(description.run_id)
        await self._catch_up(description)
        first = first_run_id(description)
        layout = await asyncio.to_thread(
            describing.layout_of, self._store, self._temporal.namespace, self._workflow_id, first
        )
        return await describing.assemble(self._temporal, self._store, layout, description, self._reader)

    async def _follow(self, run_id: str) -> None:
        await self.close()
        self._run_id = run_id
        self._reader = HistoryReader(self._temporal.data_converter)
        self._stream = asyncio.create_task(self._read(run_id, self._reader))
        self._stream.add_done_callback(lambda _: self._news.set())

    async def _read(self, run_id: str, reader: HistoryReader) -> None:
        handle = self._temporal.get_workflow_handle(self._workflow_id, run_id=run_id)
        with contextlib.suppress(RPCError):  # the next look says what is the matter, and follows again
            async for event in handle.fetch_history_events(wait_new_event=True):
                await reader.feed(event)
                self._news.set()

    async def _catch_up(self, description: WorkflowExecutionDescription) -> None:
        """Until the stream has read what the description already counts."""
        stream = self._stream
        assert stream is not None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CATCH_UP_SECONDS):
                while self._reader.events < description.history_length and not stream.done():
                    self._news.clear()
                    await self._news.wait()
        if stream.done():
            stream.result()  # an event that was not understood is no reason to show an old state for ever
