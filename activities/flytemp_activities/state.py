"""Pages of plans and states: data that a workflow may not read or write itself."""

from __future__ import annotations

import asyncio

from temporalio import activity

from flytemp.layout import RootLayout
from flytemp.protocol import activities as protocol
from flytemp.store.object_store import ObjectStore
from flytemp_activities.definitions import control_activity


class StatePages:
    """Activities that read and write pages in the store; a page has at most `flytemp.spec.pages.PAGE_BYTES` bytes."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    @control_activity(protocol.LOAD_PLAN_PAGE)
    async def load_plan_page(self, page: protocol.PlanPage) -> str:
        """Return a page of the plan."""
        return await self._read(RootLayout(page.execution).plan_page(page.page))

    @control_activity(protocol.SAVE_PLAN_PAGE)
    async def save_plan_page(self, page: protocol.SavePlanPage) -> None:
        """Save the page of a plan that only the history of the execution's first run holds."""
        await self._write(RootLayout(page.execution).plan_page(page.page), page.text)

    @control_activity(protocol.LOAD_STATE_PAGE)
    async def load_state_page(self, page: protocol.StatePage) -> protocol.StateText:
        """Return a page of the state that an earlier run saved."""
        layout = RootLayout(page.execution)
        if page.closed:
            return protocol.StateText(await self._read(layout.closed_state_page(page.page)))
        key = _state_key(layout, page)
        is_reset = page.page == 0 and await self._is_reset(_marker_key(layout, page))
        return protocol.StateText(await self._read(key), is_reset)

    async def _is_reset(self, key: str) -> bool:
        """Return True unless the run of this activity is the first one that calls this method with ``key``.

        The state of a run is loaded by the run that continues it, and after a reset by further runs.
        """
        run_id = activity.info().workflow_run_id or ""
        if await asyncio.to_thread(self._store.create, key, run_id.encode()):
            return False
        return await self._read(key) != run_id

    @control_activity(protocol.SAVE_STATE_PAGE)
    async def save_state_page(self, page: protocol.SaveStatePage) -> None:
        """Save a page of a state."""
        if page.page == 0:  # the state replaces one of the same generation, which an execution that was retried has left
            await asyncio.to_thread(self._store.delete, _marker_key(RootLayout(page.execution), page))
        await self._write(_state_key(RootLayout(page.execution), page), page.text)

    async def _read(self, key: str) -> str:
        return (await asyncio.to_thread(self._store.read, key)).decode()

    async def _write(self, key: str, text: str) -> None:
        await asyncio.to_thread(self._store.write, key, text.encode())


def _state_key(layout: RootLayout, page: protocol.StatePage | protocol.SaveStatePage) -> str:
    if page.chunk is not None:
        return f"{layout.chunk_folder(page.chunk)}/state/{page.generation:05d}/{page.page:05d}.json"
    return layout.state_page(page.generation, page.page)


def _marker_key(layout: RootLayout, page: protocol.StatePage | protocol.SaveStatePage) -> str:
    """Return the key of the object that names the run which has loaded a state."""
    return f"{_state_key(layout, page).rpartition('/')[0]}/loaded-by"
