"""Prepare a Temporal namespace and a store for flytemp; safe to repeat."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from temporalio.api.enums.v1 import IndexedValueType, TaskQueueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, DescribeTaskQueueRequest
from temporalio.client import Client as TemporalClient
from temporalio.service import RPCError, RPCStatusCode

from flytemp.errors import ConfigError, FlytempError
from flytemp.protocol.search_attributes import KEYWORD_LISTS, KEYWORDS

if TYPE_CHECKING:
    from flytemp.client.client import Client


@dataclass(frozen=True, slots=True)
class SetupStep:
    """One thing that was looked at, and what was done about it."""

    what: str
    outcome: Literal["created", "exists", "ok", "skipped", "failed"]
    detail: str


async def setup_temporal(client: Client) -> list[SetupStep]:
    """Check the namespace, register the search attributes, check the store and the task queue's workers."""
    steps: list[Callable[[Client], Awaitable[SetupStep]]] = [_namespace, _search_attributes, _store, _task_queue]
    return [await _guarded(step, client) for step in steps]


async def _guarded(step: Callable[[Client], Awaitable[SetupStep]], client: Client) -> SetupStep:
    what = step.__name__.strip("_").replace("_", " ")
    try:
        return await step(client)
    except RPCError as error:
        return SetupStep(what, "failed", f"Temporal answered {error.status.name}: {error.message}")
    except FlytempError as error:
        return SetupStep(what, "failed", f"{error}" + (f" ({error.hint})" if error.hint else ""))


async def _namespace(client: Client) -> SetupStep:
    found = await client.temporal.workflow_service.describe_namespace(
        DescribeNamespaceRequest(namespace=client.temporal.namespace)
    )
    retention = found.config.workflow_execution_retention_ttl.ToTimedelta()
    return SetupStep("namespace", "ok", f"{client.temporal.namespace}, keeps closed workflows {retention.days} days")


async def missing_search_attributes(temporal: TemporalClient) -> dict[str, IndexedValueType.ValueType]:
    """flytemp's search attributes that the namespace does not know, or knows with another type."""
    listed = await temporal.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=temporal.namespace)
    )
    wanted = dict.fromkeys(KEYWORDS, IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD)
    wanted |= dict.fromkeys(KEYWORD_LISTS, IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD_LIST)
    return {name: kind for name, kind in wanted.items() if listed.custom_attributes.get(name) != kind}


async def add_search_attributes(temporal: TemporalClient) -> list[str]:
    """Register those of flytemp's search attributes that are missing; returns their names.

    Raises:
        ConfigError: a name is taken by an attribute of another type.
    """
    missing = await missing_search_attributes(temporal)
    if not missing:
        return []
    request = AddSearchAttributesRequest(namespace=temporal.namespace, search_attributes=missing)
    try:
        await temporal.operator_service.add_search_attributes(request)
    except RPCError as error:
        left = await missing_search_attributes(temporal)
        if left and error.status in (RPCStatusCode.ALREADY_EXISTS, RPCStatusCode.INVALID_ARGUMENT):
            raise ConfigError(
                f"the namespace {temporal.namespace} does not take the search attributes {', '.join(left)}: {error.message}",
                hint="is one of them there with another type? temporal operator search-attribute list shows them",
            ) from error
        if left:
            raise
        return []  # another setup was faster
    return list(missing)


async def _search_attributes(client: Client) -> SetupStep:
    added = await add_search_attributes(client.temporal)
    if not added:
        return SetupStep("search attributes", "exists", ", ".join((*KEYWORDS, *KEYWORD_LISTS)))
    return SetupStep("search attributes", "created", ", ".join(added))


async def _store(client: Client) -> SetupStep:
    await asyncio.to_thread(client.store.check_writable)
    return SetupStep("store", "ok", client.store.uri)


async def _task_queue(client: Client) -> SetupStep:
    queue = client.settings.task_queue
    request = DescribeTaskQueueRequest(
        namespace=client.temporal.namespace,
        task_queue=TaskQueue(name=queue),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    )
    found = await client.temporal.workflow_service.describe_task_queue(request)
    if not found.pollers:
        return SetupStep("task queue", "skipped", f"{queue}: no worker polls it yet; start one with flytemp worker")
    return SetupStep("task queue", "ok", f"{queue}: {len(found.pollers)} pollers")
