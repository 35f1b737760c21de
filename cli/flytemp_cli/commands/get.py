"""`flytemp get execution|workflow|task|launch-plan|entity NAME`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from flytemp.names import EntityId, EntityKind, is_urn
from flytemp_cli.completion import complete_executions, complete_names
from flytemp_cli.lazy_imports import Command, Entry, LazyGroup
from flytemp_cli.options import VERSION
from flytemp_cli.session import Session, pass_session

if TYPE_CHECKING:
    from flytemp.registry import Registry
    from flytemp.spec.models import Document

_HERE = "flytemp_cli.commands.get"

command = LazyGroup(
    name="get",
    entries={
        "execution": Entry(f"{_HERE}:execution", "Show phase, nodes, inputs, outputs, error and URIs of an execution"),
        "workflow": Entry(f"{_HERE}:workflow", "Show interface, nodes and versions of a workflow"),
        "task": Entry(f"{_HERE}:task", "Show interface, settings and versions of a task"),
        "launch-plan": Entry(f"{_HERE}:launch_plan", "Show interface, workflow and versions of a launch plan"),
        "entity": Entry(f"{_HERE}:entity", "Show the entity registered under a name or URN"),
    },
    aliases={f"{name}s": name for name in ("execution", "workflow", "task", "launch-plan")} | {"launchplan": "launch-plan"},
    help="Show one execution or registered entity. `flytemp list` shows the names.",
)


@click.command("execution", cls=Command)
@click.argument("name", shell_complete=complete_executions())
@click.option("--all", "every_node", is_flag=True, help="Show every node")
@pass_session
def execution(session: Session, name: str, every_node: bool) -> None:
    """Show an execution: its current state while it runs, its record afterwards.

    NAME is the execution's name, its URN, or any Temporal workflow id. For an execution with many nodes, nodes that run,
    wait for an answer or failed are shown and the others are summarised; -o json contains all nodes.

    \b
    Examples:
      flytemp get execution nightly-1
      flytemp get execution nightly-1 -o json
    """
    from flytemp_cli.execution_view import execution_view
    from flytemp_cli.launching import ui_link

    found = session.with_execution(name, lambda handle: handle.describe())
    ui = ui_link(session.settings().ui_url, found.namespace, found.workflow_id)
    session.output().data(found, table=lambda style: execution_view(found, style, ui, every_node=every_node), names=[found.name])


def _command(label: str, kind: EntityKind | None, description: str) -> click.Command:
    @click.command(label, cls=Command, help=f"Show {description}.\n\nNAME is a registered name, the last part of one, or a URN.")
    @click.argument("name", shell_complete=complete_names(*([kind] if kind else [])))
    @click.option("--version", type=VERSION, metavar="VERSION", help="[default: the latest]")
    @pass_session
    def show(session: Session, name: str, version: str | None) -> None:
        from flytemp.registry import Registry
        from flytemp.store import open_store
        from flytemp_cli.entity_view import entity_view

        settings = session.settings()
        registry = Registry(open_store(settings.store))
        found, document = _find(registry, kind, name, settings.project, settings.domain, version)
        versions = registry.versions(found)
        value = {
            "urn": str(found),
            "kind": found.kind.noun,
            "project": found.project,
            "domain": found.domain,
            "name": found.name,
            "version": found.version,
            "versions": versions,
            "document": document,
        }
        session.output().data(value, table=lambda style: entity_view(found, document, versions, style), names=[str(found)])

    return show


def _find(
    registry: Registry, kind: EntityKind | None, name: str, project: str, domain: str, version: str | None
) -> tuple[EntityId, Document]:
    from flytemp.launching.targets import find_target

    if kind is None or is_urn(name):
        return find_target(registry, name, project=project, domain=domain, version=version)
    known = [summary.name for summary in registry.list(kind, project, domain)]
    ending = [one for one in known if one.rpartition(".")[2] == name]
    whole = ending[0] if name not in known and len(ending) == 1 else name
    return registry.get(EntityId(kind, project, domain, whole, version))


workflow = _command("workflow", EntityKind.WORKFLOW, "a registered workflow")
task = _command("task", EntityKind.TASK, "a registered task")
launch_plan = _command("launch-plan", EntityKind.LAUNCH_PLAN, "a registered launch plan")
entity = _command("entity", None, "the launch plan, workflow or task registered under a name, in this order")
