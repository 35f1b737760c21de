"""Short reads and writes that the engine requests; see `flytemp_worker.engine.messages.RequestIO`. Each can be repeated."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from flytemp.errors import CorruptData, FlytempError, InputError, LimitExceeded, StoreError
from flytemp.layout import RootLayout
from flytemp.literals.sizes import INLINE_BYTES, check_size, length_of
from flytemp.literals.types import Json
from flytemp.names import attempt_key
from flytemp.protocol import io_requests as protocol
from flytemp.protocol.message import Activity, write
from flytemp.runtime.inputs import BindingReader
from flytemp.spec import bindings
from flytemp.spec.integrity import check_integrity
from flytemp.spec.pages import to_pages
from flytemp.spec.typecheck import type_problems
from flytemp_activities.definitions import control_activity
from flytemp_activities.executions import Executions, inline_bytes

COMPARED_BYTES = 64 * 1024
"""Maximum length of a value that a condition compares, as JSON."""

PLANS_BYTES = 4 * 1024 * 1024
"""Maximum length of the plans of several dynamic nodes in one result, as JSON; compressed, they are a fraction of it."""


class IORequests:
    """Activities that read and write values on behalf of the engine."""

    def __init__(self, executions: Executions) -> None:
        self._executions = executions
        self._store = executions.store

    def perform(self, declaration: Activity[Any, Any], argument: dict[str, Json]) -> Json:
        """Return the result of an activity of this class, for a caller that runs without a Temporal server.

        Raises:
            FlytempError: as the activity's application error.
        """
        methods: dict[str, Any] = {
            protocol.READ_VALUES.name: self._read_values,
            protocol.LIST_LENGTHS.name: self._list_lengths,
            protocol.SPLIT_LISTS.name: self._split_lists,
            protocol.EXPAND_DYNAMIC.name: self._expand_dynamic,
            protocol.CHILD_INPUTS.name: self._child_inputs,
            protocol.STORE_MAP.name: self._store_map,
        }
        return write(methods[declaration.name](declaration.argument.from_json(argument)))

    @control_activity(protocol.READ_VALUES)
    async def read_values(self, argument: protocol.ValuesArgument) -> protocol.LiteralValues:
        """Return the literals of closed values. A value that cannot be resolved has an error in its place."""
        return await asyncio.to_thread(self._read_values, argument)

    def _read_values(self, argument: protocol.ValuesArgument) -> protocol.LiteralValues:
        reader = self._reader(argument.execution)
        return protocol.LiteralValues({name: _read(reader, value) for name, value in argument.values.items()})

    @control_activity(protocol.LIST_LENGTHS)
    async def list_lengths(self, argument: protocol.ValuesArgument) -> protocol.ListLengths:
        """Return the lengths of lists."""
        return await asyncio.to_thread(self._list_lengths, argument)

    def _list_lengths(self, argument: protocol.ValuesArgument) -> protocol.ListLengths:
        reader = self._reader(argument.execution)
        return protocol.ListLengths({name: length_of(name, reader.read(value)) for name, value in argument.values.items()})

    @control_activity(protocol.SPLIT_LISTS)
    async def split_lists(self, argument: protocol.SplitListsArgument) -> None:
        """Write the lists that a large map iterates over chunk by chunk, so that no call has to read all items."""
        await asyncio.to_thread(self._split_lists, argument)

    def _split_lists(self, argument: protocol.SplitListsArgument) -> None:
        reader, layout = self._reader(argument.execution), RootLayout(argument.execution)
        lists = {name: reader.read(value) for name, value in argument.values.items()}
        for name, items in lists.items():
            length_of(name, items)
        for number, first in enumerate(range(0, argument.count, argument.size)):
            chunk = {name: items[first : first + argument.size] for name, items in lists.items()}
            key = layout.chunk_items(f"{argument.node}/{attempt_key(argument.attempt, argument.epoch)}/{number}")
            self._store.write(key, json.dumps(chunk, separators=(",", ":")).encode())

    @control_activity(protocol.CHILD_INPUTS)
    async def child_inputs(self, argument: protocol.ValuesArgument) -> protocol.ChildInputs:
        """Return the inputs of a child execution as literals, or write them to the store if they are long."""
        return await asyncio.to_thread(self._child_inputs, argument)

    def _child_inputs(self, argument: protocol.ValuesArgument) -> protocol.ChildInputs:
        reader = self._reader(argument.execution)
        values = {name: check_size(name, reader.read(value)) for name, value in argument.values.items()}
        if inline_bytes(values) <= INLINE_BYTES:
            return protocol.ChildInputs(values=values)
        key = RootLayout(argument.execution).child_inputs(argument.node, attempt_key(argument.attempt, argument.epoch))
        self._store.write(key, json.dumps(values).encode())
        return protocol.ChildInputs(uri=self._store.uri_of(key))

    @control_activity(protocol.STORE_MAP)
    async def store_map(self, argument: protocol.StoreMapArgument) -> None:
        """Write the manifest of a map's outputs under the key that the result of a task would have."""
        await asyncio.to_thread(self._store_map, argument)

    def _store_map(self, argument: protocol.StoreMapArgument) -> None:
        manifest = {"status": "succeeded", "manifest": argument.outputs, "chunks": argument.chunks}
        key = RootLayout(argument.execution).result(argument.node, attempt_key(argument.attempt, argument.epoch))
        self._store.write(key, json.dumps(manifest, separators=(",", ":")).encode())

    @control_activity(protocol.EXPAND_DYNAMIC)
    async def expand_dynamic(self, argument: protocol.NodeArgument) -> protocol.Pages:
        """Return the plan of the graph that a dynamic task made. The graph passes the checks of a registered one first."""
        return await asyncio.to_thread(self._expand_dynamic, argument)

    def _expand_dynamic(self, argument: protocol.NodeArgument) -> protocol.Pages:
        source = f"{argument.node}/{attempt_key(argument.attempt, argument.epoch)}"
        document = self._executions.dynamic(argument.execution, source)
        check_integrity(document)
        problems = type_problems(document)
        if problems:
            raise InputError("; ".join(str(problem) for problem in problems[:5]))
        return protocol.Pages(to_pages(self._executions.dynamic_plan(argument.execution, source)))

    @control_activity(protocol.DYNAMIC_PLANS)
    async def dynamic_plans(self, argument: protocol.DynamicPlansArgument) -> protocol.DynamicPlans:
        """Return the plans of dynamic nodes that were expanded before: the first ones that fit into the result."""
        return await asyncio.to_thread(self._dynamic_plans, argument)

    def _dynamic_plans(self, argument: protocol.DynamicPlansArgument) -> protocol.DynamicPlans:
        plans: dict[str, Any] = {}
        size = 0
        for source in argument.sources:
            plan = self._executions.dynamic_plan(argument.execution, source)
            size += inline_bytes(plan)
            if plans and size > PLANS_BYTES:
                break
            plans[source] = plan
        return protocol.DynamicPlans(to_pages(plans), len(plans))

    def _reader(self, root: str) -> BindingReader:
        return BindingReader(self._store, root, self._executions.constants(root))


def _read(reader: BindingReader, value: Json) -> dict[str, Json]:
    try:
        literal = reader.read(value)
    except FlytempError as error:
        if isinstance(error, StoreError) and not isinstance(error, CorruptData):
            raise  # the store is unavailable: Temporal retries the activity
        return {"error": error.message}
    if inline_bytes(literal) > COMPARED_BYTES:
        raise LimitExceeded(
            f"a condition compares a value of more than {COMPARED_BYTES} bytes", hint="compare the value in a task"
        )
    return bindings.literal(literal)
