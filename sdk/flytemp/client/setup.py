"""Setup of a Temporal namespace and a store for flytemp. It can be repeated safely."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, DescribeTaskQueueRequest
from temporalio.service import RPCError

from flytemp.errors import FlytempError
from flytemp.protocol.search_attributes import KEYWORD_LISTS, KEYWORDS
from flytemp.temporal.search_attributes import add_search_attributes

if TYPE_CHECKING:
    from flytemp.client.client import Client


@dataclass(frozen=True, slots=True)
class SetupStep:
    """Result of one step of the setup.

    Attributes:
        subject: the part that was checked: "namespace", "search attributes", "store" or "task queue".
        outcome: the result of the check.
        detail: a sentence for people.
    """

    subject: str
    outcome: Literal["created", "exists", "ok", "skipped", "failed"]
    detail: str


async def setup_temporal(client: Client) -> list[SetupStep]:
    """Check the namespace, the store and the task queue's workers, and register missing search attributes.

    Returns:
        The result of each step, also of failed ones.
    """
    steps: list[Callable[[Client], Awaitable[SetupStep]]] = [_namespace, _search_attributes, _store, _task_queue]
    return [await _guarded(step, client) for step in steps]


async def _guarded(step: Callable[[Client], Awaitable[SetupStep]], client: Client) -> SetupStep:
    subject = step.__name__.strip("_").replace("_", " ")
    try:
        return await step(client)
    except RPCError as error:
        return SetupStep(subject, "failed", f"Temporal answered {error.status.name}: {error.message}")
    except FlytempError as error:
        return SetupStep(subject, "failed", f"{error}" + (f" ({error.hint})" if error.hint else ""))


async def _namespace(client: Client) -> SetupStep:
    found = await client.temporal.workflow_service.describe_namespace(
        DescribeNamespaceRequest(namespace=client.temporal.namespace)
    )
    retention = found.config.workflow_execution_retention_ttl.ToTimedelta()
    return SetupStep("namespace", "ok", f"{client.temporal.namespace}, keeps closed workflows {retention.days} days")


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
