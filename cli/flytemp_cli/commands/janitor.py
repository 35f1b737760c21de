"""`flytemp janitor`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from flytemp_cli.lazy_imports import Command
from flytemp_cli.options import Session, pass_session
from flytemp_cli.output import columns
from flytemp_cli.style import Style

if TYPE_CHECKING:
    from flytemp_activities.kubernetes.janitor import RemovalCandidate


@click.command("janitor", cls=Command)
@click.option("--dry-run", is_flag=True, help="Only say what would be removed")
@pass_session
def command(session: Session, dry_run: bool) -> None:
    """Remove the pods that nobody looks after: of executions that are over, and those that were kept for long enough.

    Workers on Kubernetes do this every five minutes by a Temporal schedule; here it is done once, now.

    \b
    Examples:
      flytemp janitor --dry-run
      flytemp janitor -o json
    """
    found = asyncio.run(_sweep(session, dry_run))
    output = session.output()
    rows = [
        {"namespace": one.namespace, "pod": one.name, "execution": one.execution, "node": one.node, "reason": one.reason}
        for one in found
    ]
    output.data(rows, table=lambda style: _table(found, style), names=[f"{one.namespace}/{one.name}" for one in found])
    if not found:
        output.note("every pod has somebody who looks after it")
    elif dry_run:
        output.hint("nothing was removed: without --dry-run these pods are")


async def _sweep(session: Session, dry_run: bool) -> list[RemovalCandidate]:
    from flytemp.client.client import Client
    from flytemp.errors import KubernetesUnavailable
    from flytemp.store.object_store import ObjectStore
    from flytemp_activities.kubernetes import Janitor
    from flytemp_activities.kubernetes.api import ApiError, KubernetesApi
    from flytemp_worker import kubernetes_setup

    settings = session.settings()
    client = await Client.connect(settings)
    try:
        async with await KubernetesApi.connect(settings.kubernetes.kubeconfig, settings.kubernetes.context) as api:
            store = ObjectStore.open(settings.store)
            janitor = Janitor(api, store, client.temporal, kubernetes_setup.policy_of(settings), settings.task_queue)
            return await janitor.sweep(dry_run=dry_run)
    except ApiError as error:
        hint = "may this user list and delete pods?"
        raise KubernetesUnavailable(f"the pods could not be swept: {error}", hint=hint) from error
    finally:
        await client.close()


def _table(found: list[RemovalCandidate], style: Style) -> list[str]:
    rows = [[one.namespace, one.name, one.execution, one.node, one.reason] for one in found]
    return columns(["NAMESPACE", "POD", "EXECUTION", "NODE", "REASON"], rows, style)
