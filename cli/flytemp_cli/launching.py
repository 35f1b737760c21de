"""What `launch` and `run` share: the launch's options, starting it, waiting for it, printing how it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from flytemp_cli.execution_view import final_exit_code, show_end
from flytemp_cli.failures import InputUsageError
from flytemp_cli.inputs import gather, read_document
from flytemp_cli.options import EXECUTION
from flytemp_cli.targets import LaunchOption

if TYPE_CHECKING:
    from flytemp.client.client import Client
    from flytemp.client.handle import ExecutionHandle
    from flytemp.config import Settings
    from flytemp.literals.types import Json
    from flytemp.names import EntityId
    from flytemp.records.launch import LaunchOptions
    from flytemp.records.models import Execution
    from flytemp.spec.models import Document, Interface
    from flytemp.store.object_store import ObjectStore
    from flytemp_cli.output import Output


def _key_value(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise click.BadParameter(f"{text!r} is not KEY=VALUE")
    return key, value


def _duration(text: str) -> float:
    """The seconds of ``90``, ``90s``, ``1h30m`` or ``PT1H30M``."""
    from flytemp.errors import InputError
    from flytemp.literals.simple import read_duration
    from flytemp.literals.text import parse_text
    from flytemp.literals.types import SimpleType

    try:
        seconds = read_duration(parse_text(text, SimpleType(kind="duration"))).total_seconds()
    except InputError as error:
        raise click.BadParameter(error.message) from error
    if seconds <= 0:
        raise click.BadParameter(f"{text} is no time at all")
    return seconds


def launch_options(*, always_follows: bool) -> list[click.Parameter]:
    """Fresh option objects of one launch. A command that always follows takes --wait and --follow, and need not tell."""
    hidden = always_follows
    seconds = click.FloatRange(min=0)
    several = "Can be given several times"
    spot = "Whether tasks may run on spot machines"
    return [
        LaunchOption("--name", type=EXECUTION, metavar="NAME", help="The execution's name [default: made up]"),
        LaunchOption("--inputs", metavar="FILE", help="Inputs as a JSON or YAML object, - for stdin; flags win over it"),
        LaunchOption("--wait", is_flag=True, hidden=hidden, help="Wait for its end; the exit code says how it ended"),
        LaunchOption("--follow", is_flag=True, hidden=hidden, help="Like --wait, and show the nodes meanwhile"),
        LaunchOption("--timeout", type=seconds, metavar="SECONDS", help="Wait no longer: exit code 5"),
        LaunchOption(
            "--time-limit", type=_duration, metavar="DURATION", help="Of the execution, as 90s or 1h30m: then TIMED_OUT"
        ),
        LaunchOption("--max-parallelism", type=click.IntRange(min=0), metavar="N", help="Task nodes at once, 0: any number"),
        LaunchOption("--label", type=_key_value, multiple=True, metavar="KEY=VALUE", help=several),
        LaunchOption("--annotation", type=_key_value, multiple=True, metavar="KEY=VALUE", help=several),
        LaunchOption("--raw-data-prefix", metavar="URI", help="Where files that tasks write are put"),
        LaunchOption("--interruptible/--no-interruptible", default=None, help=spot),
        LaunchOption("--service-account", metavar="NAME", help="Kubernetes' service account of its tasks' pods"),
        LaunchOption("--overwrite-cache", is_flag=True, help="Run every task, and replace what is cached"),
    ]


@dataclass(frozen=True, slots=True)
class Start:
    """Everything one launch needs."""

    entity: EntityId
    document: Document
    literals: dict[str, Json]
    name: str | None
    options: LaunchOptions
    timeout: float | None
    asked: str | None = None  # what the user called it: the same words under the same name are the same launch


def literals_of(interface: Interface, texts: Mapping[str, str], inputs: str | None) -> dict[str, Json]:
    """The literals that flags and ``--inputs`` give; local paths are checked, and are still local.

    Raises:
        InputUsageError: see `flytemp_cli.inputs.gather` and `flytemp_cli.uploads.move_local_files`.
    """
    from flytemp.client.uploads import StayLocal
    from flytemp_cli.uploads import move_local_files

    literals = gather(interface, texts, read_document(inputs))
    move_local_files(literals, interface, StayLocal())  # a wrong path is told before anything is done
    return literals


def options_of(given: Mapping[str, Any]) -> LaunchOptions:
    """The launch's options; None where nothing was said, so that the launch plan's own holds."""
    from flytemp.records.launch import LaunchOptions

    return LaunchOptions(
        max_parallelism=given["max_parallelism"],
        timeout_seconds=given["time_limit"],
        labels=dict(given["label"]) or None,
        annotations=dict(given["annotation"]) or None,
        raw_data_prefix=given["raw_data_prefix"],
        interruptible=given["interruptible"],
        service_account=given["service_account"],
        overwrite_cache=given["overwrite_cache"] or None,
    )


def waits(given: Mapping[str, Any]) -> bool:
    """Whether the command waits for the end.

    Raises:
        InputUsageError: a time-out without waiting means nothing.
    """
    if given["timeout"] is not None and not (given["wait"] or given["follow"]):
        raise InputUsageError("--timeout needs --wait or --follow")
    return bool(given["wait"] or given["follow"])


Prepare = Callable[["ObjectStore"], Start]
"""Registers what is to be launched, uploads files: whatever must be in the store first."""


async def launch(settings: Settings, prepare: Prepare, output: Output, *, wait: bool, follow: bool) -> int:
    """Start an execution, wait for it when asked to, print, and return the exit code.

    Temporal is connected to before anything is prepared: where it is not running, nothing is left behind.
    """
    from flytemp.client.client import Client

    client = await Client.connect(settings)
    try:
        start = prepare(client.store)  # in this thread: it may run the user's code, and nothing else waits meanwhile
        handle = await client.launch_entity(
            start.entity, start.document, start.literals, name=start.name, options=start.options, asked=start.asked
        )
        if not wait:
            await _show_start(handle, client, output)
        elif output.is_table:
            output.note(f"execution {output.messages.bold(handle.name)}")
            _note_ui(handle, client, output)
        await _warn_without_worker(client, output)
        if not wait:
            return 0
        execution = await _until_end(handle, start, output, follow=follow)
        show_end(execution, output)
        return final_exit_code(execution)
    finally:
        await client.close()


async def _show_start(handle: ExecutionHandle[Any], client: Client, output: Output) -> None:
    if output.format in ("json", "yaml"):
        output.data(await handle.describe(), table=lambda _: [])
        return
    output.text(handle.name)
    if output.is_table:
        _note_ui(handle, client, output)
        output.hint(f"`flytemp get execution {handle.name}` shows it, `flytemp logs {handle.name} -f` what its tasks print")


async def _warn_without_worker(client: Client, output: Output) -> None:
    """An execution that nobody takes up waits for ever and looks like any other: say so at once."""
    from temporalio.api.enums.v1 import TaskQueueType
    from temporalio.api.taskqueue.v1 import TaskQueue
    from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest

    request = DescribeTaskQueueRequest(
        namespace=client.settings.namespace,
        task_queue=TaskQueue(name=client.settings.task_queue),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    )
    found = await client.temporal.workflow_service.describe_task_queue(request)
    if not found.pollers:
        output.warning(f"no worker polls the task queue {client.settings.task_queue}: the execution waits for one")
        output.hint("`flytemp worker` starts one, `flytemp dev` has one")


def _note_ui(handle: ExecutionHandle[Any], client: Client, output: Output) -> None:
    url = ui_link(client.settings.ui_url, client.settings.namespace, handle.workflow_id)
    if url:
        output.note(f"Temporal UI  {url}")


def ui_link(ui_url: str | None, namespace: str, workflow_id: str) -> str:
    """The execution's page in Temporal's UI; empty when no UI is known."""
    from urllib.parse import quote

    return f"{ui_url.rstrip('/')}/namespaces/{quote(namespace)}/workflows/{quote(workflow_id, safe='')}" if ui_url else ""


async def _until_end(handle: ExecutionHandle[Any], start: Start, output: Output, *, follow: bool) -> Execution:
    from flytemp.errors import WaitTimeout
    from flytemp_cli.follow import follow_execution

    try:
        if not follow:
            return await handle.wait(start.timeout)
        return await follow_execution(handle, output, start.timeout)
    except WaitTimeout as error:
        if output.format in ("json", "yaml"):
            output.data(await handle.describe(), table=lambda _: [])
        error.hint = f"it goes on: `flytemp get execution {handle.name}` shows it, `flytemp cancel {handle.name}` stops it"
        raise
    except asyncio.CancelledError:  # Ctrl-C
        output.note()
        output.note(f"execution {handle.name} goes on")
        output.hint(f"`flytemp get execution {handle.name}` shows it, `flytemp cancel {handle.name}` stops it")
        raise
