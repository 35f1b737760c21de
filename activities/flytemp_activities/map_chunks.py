"""Activities of the chunks of large maps."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

from temporalio import activity

from flytemp.layout import RootLayout
from flytemp.literals.types import Json
from flytemp.protocol import activities as protocol
from flytemp.spec import bindings
from flytemp.spec.pages import to_pages
from flytemp.spec.plan import chunk_plan_of
from flytemp_activities.definitions import control_activity
from flytemp_activities.executions import Executions

INLINE_ITEMS_BYTES = 64 * 1024
"""Maximum length of a chunk's items in the result of `MapChunks.chunk_plan`. Calls read longer items from the store."""


class MapChunks:
    """Activities that read the plan of a chunk and write its results."""

    def __init__(self, executions: Executions) -> None:
        self._executions = executions
        self._store = executions.store

    @control_activity(protocol.CHUNK_PLAN)
    async def chunk_plan(self, argument: protocol.ChunkPlanArgument) -> protocol.ChunkPlan:
        """Return the plan of one call of the map, and the chunk's items if they are short."""
        loaded = await asyncio.to_thread(self._chunk_plan, argument)
        return replace(loaded, is_reset=activity.info().workflow_run_id != argument.first_run_id)

    def _chunk_plan(self, argument: protocol.ChunkPlanArgument) -> protocol.ChunkPlan:
        document = self._executions.document_in(argument.execution, argument.source)
        plan = chunk_plan_of(document, argument.graph, argument.local)
        return protocol.ChunkPlan(to_pages(plan), self._items(argument))

    def _items(self, argument: protocol.ChunkPlanArgument) -> dict[str, list[Json]] | None:
        names = [value[bindings.CHUNK] for value in argument.given.values() if bindings.CHUNK in value]
        data = self._store.read(RootLayout(argument.execution).chunk_items(names[0]))
        if len(data) > INLINE_ITEMS_BYTES:
            return None
        items: dict[str, list[Json]] = json.loads(data)
        return items

    @control_activity(protocol.SAVE_CHUNK_ROWS)
    async def save_chunk_rows(self, page: protocol.SaveChunkRows) -> None:
        """Write a page of the rows of the chunk's nodes."""
        key = RootLayout(page.execution).chunk_rows(page.name, page.page)
        await asyncio.to_thread(self._store.write, key, page.text.encode())

    @control_activity(protocol.SAVE_CHUNK_OUTPUTS)
    async def save_chunk_outputs(self, argument: protocol.SaveChunkOutputs) -> None:
        """Write the chunk's outputs: for each output of the map, the list of its items."""
        outputs = {name: value[bindings.ITEMS] for name, value in argument.outputs.items()}
        key = RootLayout(argument.execution).chunk_outputs(argument.name)
        await asyncio.to_thread(self._store.write, key, json.dumps(outputs, separators=(",", ":")).encode())
