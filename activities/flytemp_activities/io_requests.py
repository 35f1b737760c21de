"""The short pieces of I/O that the engine asks for; see `flytemp_worker.engine.messages.Ask`. Each can be repeated."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from temporalio import activity

from flytemp.errors import CorruptData, FlytempError, InputError, LimitExceeded, StoreError
from flytemp.layout import RootLayout
from flytemp.literals.sizes import INLINE_BYTES, check_size, length_of
from flytemp.literals.types import Json
from flytemp.names import attempt_key
from flytemp.runtime.inputs import BindingReader
from flytemp.spec import bindings
from flytemp.spec.integrity import check_integrity
from flytemp.spec.pages import to_pages
from flytemp.spec.typecheck import type_problems
from flytemp_activities.application_errors import control_activity
from flytemp_activities.executions import Executions, inline_bytes

MOST_ANSWER_BYTES = 64 * 1024
"""A value that a condition compares is at most this long."""


MOST_PLANS_BYTES = 4 * 1024 * 1024
"""Plans of several dynamics in one answer, as JSON; compressed, they are a fraction of it."""


class IORequests:
    """Reads and writes for the engine what it does not hold itself."""

    def __init__(self, executions: Executions) -> None:
        self._executions = executions
        self._store = executions.store

    def give(self, what: str, argument: dict[str, Any]) -> dict[str, Any]:
        """The answer to what an engine asks, for one that runs without a server; raises as the activities do."""
        answers = {
            "read": self._read_values, "lengths": self._lengths, "split": self._split, "expand": self._expand,
            "inputs": self._child_inputs, "store": self._store_map,
        }  # fmt: skip
        return answers[what](argument)

    @activity.defn(name="flytemp.read_values")
    @control_activity
    async def read_values(self, argument: dict[str, Any]) -> dict[str, Any]:
        """The literals of closed values, each by itself: one that leads nowhere is told as its error."""
        return await asyncio.to_thread(self._read_values, argument)

    def _read_values(self, argument: dict[str, Any]) -> dict[str, Any]:
        source = self._source(argument)
        return {"values": {name: _read(source, value) for name, value in argument["values"].items()}}

    @activity.defn(name="flytemp.list_lengths")
    @control_activity
    async def list_lengths(self, argument: dict[str, Any]) -> dict[str, Any]:
        """The lengths of lists."""
        return await asyncio.to_thread(self._lengths, argument)

    def _lengths(self, argument: dict[str, Any]) -> dict[str, Any]:
        source = self._source(argument)
        return {"lengths": {name: length_of(name, source.read(value)) for name, value in argument["values"].items()}}

    @activity.defn(name="flytemp.split_lists")
    @control_activity
    async def split_lists(self, argument: dict[str, Any]) -> dict[str, Any]:
        """Write the lists that a large map maps over in parts, so that no call reads all of them."""
        return await asyncio.to_thread(self._split, argument)

    def _split(self, argument: dict[str, Any]) -> dict[str, Any]:
        source, layout = self._source(argument), RootLayout(argument["execution"])
        lists = {name: source.read(value) for name, value in argument["values"].items()}
        for name, items in lists.items():
            length_of(name, items)
        size = argument["size"]
        for number, first in enumerate(range(0, argument["count"], size)):
            part = {name: items[first : first + size] for name, items in lists.items()}
            name = f"{argument['node']}/{argument['attempt']}/{number}"
            self._store.write(layout.chunk_items(name), json.dumps(part, separators=(",", ":")).encode())
        return {}

    @activity.defn(name="flytemp.child_inputs")
    @control_activity
    async def child_inputs(self, argument: dict[str, Any]) -> dict[str, Any]:
        """The inputs of a child execution: as literals, or where they were written when they are large."""
        return await asyncio.to_thread(self._child_inputs, argument)

    def _child_inputs(self, argument: dict[str, Any]) -> dict[str, Any]:
        source = self._source(argument)
        values = {name: check_size(name, source.read(value)) for name, value in argument["values"].items()}
        if inline_bytes(values) <= INLINE_BYTES:
            return {"values": values}
        key = RootLayout(argument["execution"]).child_inputs(argument["node"], attempt_key(argument["attempt"]))
        self._store.write(key, json.dumps(values).encode())
        return {"uri": self._store.uri_of(key)}

    @activity.defn(name="flytemp.store_map")
    @control_activity
    async def store_map(self, argument: dict[str, Any]) -> dict[str, Any]:
        """Write the manifest of a map's outputs where the result of a task would be."""
        return await asyncio.to_thread(self._store_map, argument)

    def _store_map(self, argument: dict[str, Any]) -> dict[str, Any]:
        manifest = {"status": "succeeded", "manifest": argument["outputs"], "parts": argument.get("parts")}
        key = RootLayout(argument["execution"]).result(argument["node"], attempt_key(argument["attempt"]))
        self._store.write(key, json.dumps(manifest, separators=(",", ":")).encode())
        return {}

    @activity.defn(name="flytemp.expand_dynamic")
    @control_activity
    async def expand_dynamic(self, argument: dict[str, Any]) -> dict[str, Any]:
        """The pages of the plan of the graph that a dynamic task made; it is checked like one that was registered."""
        return await asyncio.to_thread(self._expand, argument)

    def _expand(self, argument: dict[str, Any]) -> dict[str, Any]:
        source = f"{argument['node']}/{argument['attempt']}"
        document = self._executions.dynamic(argument["execution"], source)
        check_integrity(document)
        problems = type_problems(document)
        if problems:
            raise InputError("; ".join(str(problem) for problem in problems[:5]))
        return {"pages": to_pages(self._executions.dynamic_plan(argument["execution"], source))}

    @activity.defn(name="flytemp.dynamic_plans")
    @control_activity
    async def dynamic_plans(self, argument: dict[str, Any]) -> dict[str, Any]:
        """The plans of dynamics that had been expanded before, as one set of pages: of the first ``done`` that fit."""
        return await asyncio.to_thread(self._plans, argument)

    def _plans(self, argument: dict[str, Any]) -> dict[str, Any]:
        plans: dict[str, Any] = {}
        size = 0
        for source in argument["sources"]:
            plan = self._executions.dynamic_plan(argument["execution"], source)
            size += inline_bytes(plan)
            if plans and size > MOST_PLANS_BYTES:
                break
            plans[source] = plan
        return {"pages": to_pages(plans), "done": len(plans)}

    def _source(self, argument: dict[str, Any]) -> BindingReader:
        return BindingReader(self._store, argument["execution"], self._executions.constants(argument["execution"]))


def _read(source: BindingReader, value: Json) -> dict[str, Any]:
    try:
        literal = source.read(value)
    except FlytempError as error:
        if isinstance(error, StoreError) and not isinstance(error, CorruptData):
            raise  # the store is away: asked again
        return {"error": error.message}
    if inline_bytes(literal) > MOST_ANSWER_BYTES:
        raise LimitExceeded("a value that a condition compares is too long", hint="compare it in a task")
    return bindings.literal(literal)
