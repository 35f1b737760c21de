"""Activities that read and write values on behalf of the engine: names, arguments and results.

``execution`` and ``epoch`` in an argument are those of `flytemp.protocol.activities.RunTaskArgument`.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import NoneType
from typing import Any

from flytemp.protocol.message import Activity, Json, Message


@dataclass(frozen=True, slots=True)
class NodeArgument(Message):
    """An attempt of a node."""

    execution: str
    node: str
    attempt: int
    epoch: str = ""


@dataclass(frozen=True, slots=True)
class ValuesArgument(Message):
    """Closed values by name, on behalf of an attempt of a node."""

    execution: str
    node: str
    attempt: int
    values: dict[str, Json]
    epoch: str = ""


@dataclass(frozen=True, slots=True)
class LiteralValues(Message):
    """Values by name: each is a literal as in `flytemp.spec.bindings`, or ``{"error": message}``."""

    values: dict[str, Json]


@dataclass(frozen=True, slots=True)
class ListLengths(Message):
    """Lengths of lists by name."""

    lengths: dict[str, int]


@dataclass(frozen=True, slots=True)
class SplitListsArgument(Message):
    """The lists that a map iterates over, as closed values by name; ``count`` items in chunks of ``size``."""

    execution: str
    node: str
    attempt: int
    values: dict[str, Json]
    count: int
    size: int
    epoch: str = ""


@dataclass(frozen=True, slots=True)
class ChildInputs(Message):
    """The inputs of a child execution: literals in ``values``, or the URI of a JSON object if they are long."""

    values: dict[str, Json] | None = None
    uri: str | None = None


@dataclass(frozen=True, slots=True)
class StoreMapArgument(Message):
    """The outputs of a map as closed values by name. ``chunks`` lists the chunks that hold the items, if the map has any."""

    execution: str
    node: str
    attempt: int
    outputs: dict[str, Json]
    chunks: Json = None
    epoch: str = ""


@dataclass(frozen=True, slots=True)
class Pages(Message):
    """Pages of a plan, in the form of `flytemp.spec.pages.to_pages`."""

    pages: list[str]


@dataclass(frozen=True, slots=True)
class DynamicPlansArgument(Message):
    """Dynamic nodes that were expanded before, as "<node path>/<attempt>"."""

    execution: str
    sources: list[str]


@dataclass(frozen=True, slots=True)
class DynamicPlans(Message):
    """Plans of the first ``done`` dynamic nodes of the request, as pages of one object by source."""

    pages: list[str]
    done: int


READ_VALUES = Activity("flytemp.read_values", ValuesArgument, LiteralValues)
LIST_LENGTHS = Activity("flytemp.list_lengths", ValuesArgument, ListLengths)
SPLIT_LISTS = Activity("flytemp.split_lists", SplitListsArgument, NoneType)
CHILD_INPUTS = Activity("flytemp.child_inputs", ValuesArgument, ChildInputs)
STORE_MAP = Activity("flytemp.store_map", StoreMapArgument, NoneType)
EXPAND_DYNAMIC = Activity("flytemp.expand_dynamic", NodeArgument, Pages)
DYNAMIC_PLANS = Activity("flytemp.dynamic_plans", DynamicPlansArgument, DynamicPlans)

IO_REQUESTS: dict[str, Activity[Any, Any]] = {
    "read": READ_VALUES,
    "lengths": LIST_LENGTHS,
    "split": SPLIT_LISTS,
    "expand": EXPAND_DYNAMIC,
    "inputs": CHILD_INPUTS,
    "store": STORE_MAP,
}
"""The activity for each kind of `flytemp_worker.engine.messages.RequestIO`."""
