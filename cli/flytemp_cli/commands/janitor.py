"""`flytemp janitor`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from flytemp_cli.lazy_imports import Command
from flytemp_cli.output import columns
from flytemp_cli.session import Session, pass_session
from flytemp_cli.style import Style

if TYPE_CHECKING:
    from flytemp_activities.kubernetes.janitor import RemovalCandidate


@click.command("janitor", cls=Command)
@click.option("--dry-run", is_flag=True, help="Only list the pods that would be deleted")
@pass_session
def command(session: Session, dry_run: bool) -> None:
    """Delete the pods that no execution needs: pods of finished executions, and kept pods whose time has passed.

    Workers on Kubernetes run the janitor every five minutes through a Temporal schedule. This command runs it once.

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
        output.note("no pods to delete")
    elif dry_run:
        output.hint("nothing was deleted; without --dry-run these pods would be")


async def _sweep(session: Session, dry_run: bool) -> list[RemovalCandidate]:
    from flytemp.client.client import Client
    from flytemp.errors import KubernetesUnavailable
    from flytemp.store import open_store
    from flytemp.task_queues import deployment_of
    from flytemp_activities.kubernetes import Janitor
    from flytemp_activities.kubernetes.api import ApiError, KubernetesApi
    from flytemp_worker import kubernetes_setup

    settings = session.settings()
    client = await Client.connect(settings)
    try:
        async with await KubernetesApi.connect(settings.kubernetes.kubeconfig, settings.kubernetes.context) as api:
            store = open_store(settings.store)
            deployment = deployment_of(settings.task_queue, settings.worker.pool)
            janitor = Janitor(api, store, client.temporal, kubernetes_setup.policy_of(settings), deployment)
            return await janitor.sweep(dry_run=dry_run)
    except ApiError as error:
        hint = "check that this user may list and delete pods"
        raise KubernetesUnavailable(f"cannot list or delete pods: {error}", hint=hint) from error
    finally:
        await client.close()


def _table(found: list[RemovalCandidate], style: Style) -> list[str]:
    rows = [[one.namespace, one.name, one.execution, one.node, one.reason] for one in found]
    return columns(["NAMESPACE", "POD", "EXECUTION", "NODE", "REASON"], rows, style)
