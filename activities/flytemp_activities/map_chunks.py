"""Activities for the parts of large maps."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from temporalio import activity

from flytemp.layout import RootLayout
from flytemp.spec import bindings
from flytemp.spec.pages import to_pages
from flytemp.spec.plan import part_plan_of
from flytemp_activities.application_errors import control_activity
from flytemp_activities.executions import Executions

INLINE_ITEMS_BYTES = 64 * 1024
"""Items of a part that are together no longer than this travel with it; else each call reads its own."""


class MapChunks:
    """What a part of a map reads and writes."""

    def __init__(self, executions: Executions) -> None:
        self._executions = executions
        self._store = executions.store

    @activity.defn(name="flytemp.part_plan")
    @control_activity
    async def part_plan(self, argument: dict[str, Any]) -> dict[str, Any]:
        """The pages of the plan of the map's calls, and the part's items where they are short."""
        return await asyncio.to_thread(self._plan, argument)

    def _plan(self, argument: dict[str, Any]) -> dict[str, Any]:
        document = self._executions.document_in(argument["execution"], argument["source"])
        plan = part_plan_of(document, argument["graph"], argument["local"])
        return {"pages": to_pages(plan), "items": self._items(argument)}

    def _items(self, argument: dict[str, Any]) -> dict[str, Any] | None:
        names = [value[bindings.CHUNK] for value in argument["given"].values() if bindings.CHUNK in value]
        data = self._store.read(RootLayout(argument["execution"]).chunk_items(names[0]))
        if len(data) > INLINE_ITEMS_BYTES:
            return None
        items: dict[str, Any] = json.loads(data)
        return items

    @activity.defn(name="flytemp.close_part")
    @control_activity
    async def close_part(self, argument: dict[str, Any]) -> None:
        """Write the part's outputs, or a page of its rows."""
        layout = RootLayout(argument["execution"])
        if "page" in argument:
            key, data = layout.chunk_rows(argument["name"], argument["page"]), argument["text"]
        else:
            outputs = {name: value[bindings.ITEMS] for name, value in argument["outputs"].items()}
            key, data = layout.chunk_outputs(argument["name"]), json.dumps(outputs, separators=(",", ":"))
        await asyncio.to_thread(self._store.write, key, data.encode())
