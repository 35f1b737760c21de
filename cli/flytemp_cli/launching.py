"""Launching for `launch` and `run`: options, start of the execution, waiting, and the printed result."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from flytemp_cli.error_report import InputUsageError
from flytemp_cli.execution_view import final_exit_code, show_end
from flytemp_cli.inputs import collect_literals, read_document
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
    """Return the seconds of ``90``, ``90s``, ``1h30m`` or ``PT1H30M``."""
    from flytemp.errors import InputError
    from flytemp.literals.simple import read_duration
    from flytemp.literals.text import parse_text
    from flytemp.literals.types import SimpleType

    try:
        seconds = read_duration(parse_text(text, SimpleType(kind="duration"))).total_seconds()
    except InputError as error:
        raise click.BadParameter(error.message) from error
    if seconds <= 0:
        raise click.BadParameter(f"the duration must be positive: {text}")
    return seconds


def launch_options(*, always_follows: bool) -> list[click.Parameter]:
    """Return new options of a launch. ``always_follows``: --wait and --follow are accepted but hidden."""
    hidden = always_follows
    seconds = click.FloatRange(min=0)
    repeatable = "Can be given several times"
    spot = "Allow or forbid spot machines for tasks"
    return [
        LaunchOption("--name", type=EXECUTION, metavar="NAME", help="Name of the execution [default: generated]"),
        LaunchOption("--inputs", metavar="FILE", help="Inputs as a JSON or YAML object, - for stdin; flags override it"),
        LaunchOption("--wait", is_flag=True, hidden=hidden, help="Wait until the execution finishes and exit by its phase"),
        LaunchOption("--follow", is_flag=True, hidden=hidden, help="Like --wait, and show the nodes"),
        LaunchOption("--timeout", type=seconds, metavar="SECONDS", help="Stop waiting after this time (exit code 5)"),
        LaunchOption(
            "--time-limit", type=_duration, metavar="DURATION", help="Time limit of the execution (90s, 1h30m); then TIMED_OUT"
        ),
        LaunchOption("--max-parallelism", type=click.IntRange(min=0), metavar="N", help="Tasks at once; 0 for no limit"),
        LaunchOption("--label", type=_key_value, multiple=True, metavar="KEY=VALUE", help=repeatable),
        LaunchOption("--annotation", type=_key_value, multiple=True, metavar="KEY=VALUE", help=repeatable),
        LaunchOption("--raw-data-prefix", metavar="URI", help="Location of the files that tasks write"),
        LaunchOption("--interruptible/--no-interruptible", default=None, help=spot),
        LaunchOption("--service-account", metavar="NAME", help="Kubernetes service account of the tasks' pods"),
        LaunchOption("--overwrite-cache", is_flag=True, help="Run every task and replace cached results"),
    ]


@dataclass(frozen=True, slots=True)
class Start:
    """One launch: entity, inputs and options.

    Attributes:
        requested_as: the name that the user gave; part of the comparison with an existing execution of the same name.
    """

    entity: EntityId
    document: Document
    literals: dict[str, Json]
    name: str | None
    options: LaunchOptions
    timeout: float | None
    requested_as: str | None = None


def literals_of(interface: Interface, texts: Mapping[str, str], inputs: str | None) -> dict[str, Json]:
    """Return the literals of flags and ``--inputs``. Local paths are checked but not uploaded.

    Raises:
        InputUsageError: see `collect_literals` and `upload_inputs` in `flytemp_cli.inputs`.
    """
    from flytemp.client.uploads import LocalPaths
    from flytemp_cli.inputs import upload_inputs

    literals = collect_literals(interface, texts, read_document(inputs))
    upload_inputs(literals, interface, LocalPaths())  # report wrong paths before anything is stored
    return literals


def options_of(given: Mapping[str, Any]) -> LaunchOptions:
    """Return the options of the launch. None means that the launch plan's value applies."""
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
    """Return whether the command waits until the execution finishes.

    Raises:
        InputUsageError: ``--timeout`` is given without ``--wait`` or ``--follow``.
    """
    if given["timeout"] is not None and not (given["wait"] or given["follow"]):
        raise InputUsageError("--timeout needs --wait or --follow")
    return bool(given["wait"] or given["follow"])


Prepare = Callable[["ObjectStore"], Start]
"""Prepares the store for a launch: registers the entity and uploads files."""


async def launch(settings: Settings, prepare: Prepare, output: Output, *, wait: bool, follow: bool) -> int:
    """Start an execution, optionally wait for it, print the result, and return the exit code.

    The connection to Temporal is made before ``prepare`` runs, so nothing is stored if Temporal is not available.
    """
    from flytemp.client.client import Client

    client = await Client.connect(settings)
    try:
        start = prepare(client.store)  # blocks the event loop, which has no other work
        handle = await client.launch_entity(
            start.entity, start.document, start.literals, name=start.name, options=start.options, requested=start.requested_as
        )
        if not wait:
            await _show_start(handle, client, output)
        elif output.is_table:
            output.note(f"execution {output.messages.bold(handle.name)}")
            _note_ui(handle, client, output)
        await _warn_without_worker(client, output)
        if not wait:
            return 0
        execution = await _wait_for_end(handle, start, output, follow=follow)
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
        output.hint(f"`flytemp get execution {handle.name}` shows its state, `flytemp logs {handle.name} -f` shows its output")


async def _warn_without_worker(client: Client, output: Output) -> None:
    """Warn if no worker polls the task queue, because the execution would wait without an error."""
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
        output.warning(f"no worker polls the task queue {client.settings.task_queue}; the execution waits until one does")
        output.hint("start one with `flytemp worker` or `flytemp dev`")


def _note_ui(handle: ExecutionHandle[Any], client: Client, output: Output) -> None:
    url = ui_link(client.settings.ui_url, client.settings.namespace, handle.workflow_id)
    if url:
        output.note(f"Temporal UI  {url}")


def ui_link(ui_url: str | None, namespace: str, workflow_id: str) -> str:
    """Return the URL of the execution in Temporal's UI; empty if no UI is configured."""
    from urllib.parse import quote

    return f"{ui_url.rstrip('/')}/namespaces/{quote(namespace)}/workflows/{quote(workflow_id, safe='')}" if ui_url else ""


async def _wait_for_end(handle: ExecutionHandle[Any], start: Start, output: Output, *, follow: bool) -> Execution:
    from flytemp.errors import WaitTimeout
    from flytemp_cli.follow import follow_execution

    try:
        if not follow:
            return await handle.wait(start.timeout)
        return await follow_execution(handle, output, start.timeout)
    except WaitTimeout as error:
        if output.format in ("json", "yaml"):
            output.data(await handle.describe(), table=lambda _: [])
        error.hint = f"it still runs: `flytemp get execution {handle.name}` shows it, `flytemp cancel {handle.name}` stops it"
        raise
    except asyncio.CancelledError:  # Ctrl-C
        output.note()
        output.note(f"execution {handle.name} still runs")
        output.hint(f"`flytemp get execution {handle.name}` shows it, `flytemp cancel {handle.name}` stops it")
        raise
