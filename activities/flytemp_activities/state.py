"""Pages of plans and states: what a workflow may not read or write itself."""

from __future__ import annotations

import asyncio
from typing import Any

from temporalio import activity

from flytemp.layout import RootLayout
from flytemp.store.object_store import ObjectStore
from flytemp_activities.application_errors import control_activity


class StatePages:
    """Activities over the store; a page is text of at most `flytemp.spec.pages.PAGE_BYTES`."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    @activity.defn(name="flytemp.plan_page")
    @control_activity
    async def plan_page(self, argument: dict[str, Any]) -> str:
        """A page of the plan that `resolve` wrote."""
        return await self._read(_plan_key(argument))

    @activity.defn(name="flytemp.save_plan")
    @control_activity
    async def save_plan(self, argument: dict[str, Any]) -> None:
        """Save a plan of one page, which until now only a history held."""
        await asyncio.to_thread(self._store.write, _plan_key(argument), argument["text"].encode())

    @activity.defn(name="flytemp.load_state")
    @control_activity
    async def load_state(self, argument: dict[str, Any]) -> str:
        """A page of the state that the run before this one saved."""
        return await self._read(_state_key(argument))

    @activity.defn(name="flytemp.save_state")
    @control_activity
    async def save_state(self, argument: dict[str, Any]) -> None:
        """Save a page; the same page again is the same page."""
        await asyncio.to_thread(self._store.write, _state_key(argument), argument["text"].encode())

    async def _read(self, key: str) -> str:
        return (await asyncio.to_thread(self._store.read, key)).decode()


def _plan_key(argument: dict[str, Any]) -> str:
    return RootLayout(argument["execution"]).plan_page(argument["page"])


def _state_key(argument: dict[str, Any]) -> str:
    """Of a part of a map, of an execution that ended, or of one that goes on."""
    layout, page = RootLayout(argument["execution"]), argument["page"]
    if "part" in argument:
        return f"{layout.chunk_folder(argument['part'])}/state/{argument['generation']:05d}/{page:05d}.json"
    return layout.closed_state_page(page) if argument.get("closed") else layout.state_page(argument["generation"], page)
