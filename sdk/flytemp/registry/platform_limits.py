"""Maximum resources of tasks that run as pods. The workers publish the limits in the store; registration reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, ValidationError

from flytemp import layout
from flytemp.authoring.quantities import amount
from flytemp.errors import Location, Problem
from flytemp.pods.rules import PodRules
from flytemp.spec.canonical import AnyDocument
from flytemp.spec.graphs import all_nodes
from flytemp.spec.models import LaunchPlanDocument, ResourceAmounts, ResourceSpec, SourceLocation, TaskDocument, TaskSettings
from flytemp.store.object_store import ObjectStore


class PlatformLimits(BaseModel):
    """Limits of the workers of one task queue.

    Attributes:
        refuse: whether a task that requests more is refused; if not, it gets the maximum.
        limits: the maximum of each resource.
        overrides: the maximum by project (``project``) or by project and domain (``project-domain``).
        pods: the rules for pods; None if the tasks run as processes.
    """

    model_config = ConfigDict(frozen=True)

    refuse: bool = False
    limits: ResourceAmounts = ResourceAmounts()
    overrides: dict[str, ResourceAmounts] = {}
    pods: PodRules | None = None

    def of(self, project: str, domain: str) -> ResourceAmounts:
        """Return the limits of a project and domain. The most specific value of each resource counts."""
        nearer = (self.overrides.get(project), self.overrides.get(f"{project}-{domain}"))
        return overlaid([self.limits, *(place for place in nearer if place is not None)])


def overlaid(amounts: Iterable[ResourceAmounts]) -> ResourceAmounts:
    """Return the amounts merged: the last value of each resource counts."""
    found: dict[str, str] = {}
    for one in amounts:
        found.update({name: value for name, value in one if value is not None})
    return ResourceAmounts(**found)


def publish_limits(store: ObjectStore, task_queue: str, limits: PlatformLimits) -> None:
    """Publish the limits of a task queue in the store, so that registration can check them.

    Raises:
        StoreError: if the store refuses.
    """
    key, text = layout.platform_limits_key(task_queue), limits.model_dump_json(exclude_none=True).encode()
    if store.read_or_none(key) != text:
        store.write(key, text)


def read_limits(store: ObjectStore, task_queue: str) -> PlatformLimits:
    """Return the limits of a task queue; no limits if no worker published any, or another version wrote them.

    Raises:
        StoreError: if the store cannot be read.
    """
    data = store.read_or_none(layout.platform_limits_key(task_queue))
    try:
        return PlatformLimits() if data is None else PlatformLimits.model_validate_json(data)
    except ValidationError:
        return PlatformLimits()


@dataclass(frozen=True, slots=True)
class ExceededLimits:
    """Problems of the tasks that request more than the limits. ``refused``: the platform refuses at least one task."""

    problems: list[Problem]
    refused: bool


def over_limits(
    documents: Iterable[AnyDocument], limits_of: Callable[[str | None], PlatformLimits], project: str, domain: str
) -> ExceededLimits:
    """Compare the requests of the documents' tasks with the limits of the workers that run them.

    Args:
        documents: the documents with the tasks.
        limits_of: returns the limits of a pool, or of the default workers for None.
        project: the tasks' project.
        domain: the tasks' domain.
    """
    hint = "request less, or ask the operator of the platform: the limits are in the policy of its workers"
    found: dict[str, Problem] = {}
    refused = False
    limits: dict[str | None, PlatformLimits] = {}
    for owner, place, settings in task_settings(documents):
        if settings.pool not in limits:
            limits[settings.pool] = limits_of(settings.pool)
        known = limits[settings.pool]
        where = Location(place.file, place.line) if place is not None else None
        end = "" if known.refuse else "; it gets that much"
        for excess in exceeding(settings.resources, known.of(project, domain)):
            text = f"{owner}: {excess} that the platform gives to a task in {project}-{domain}{end}"
            found.setdefault(text, Problem(text, where, hint))
            refused = refused or known.refuse
    return ExceededLimits(list(found.values()), refused)


def exceeding(resources: ResourceSpec, most: ResourceAmounts) -> Iterator[str]:
    """Yield a text for each amount above its limit: ``memory 8Gi is more than the 4Gi``."""
    for name, limit in most:
        stated = [value for value in (getattr(resources.requests, name), getattr(resources.limits, name)) if value is not None]
        highest = max(stated, key=amount, default=None)
        if limit is not None and highest is not None and amount(highest) > amount(limit):
            yield f"{name.replace('_', ' ')} {highest} is more than the {limit}"


def task_settings(documents: Iterable[AnyDocument]) -> Iterator[tuple[str, SourceLocation | None, TaskSettings]]:
    """Yield the settings of each task and of each node that overrides them, with their owner and its location."""
    for document in documents:
        if isinstance(document, TaskDocument):
            yield f"task {document.name}", document.task.location, document.task.settings
        elif not isinstance(document, LaunchPlanDocument):
            for task in document.tasks.values():
                yield f"task {task.name}", task.location, task.settings
            for workflow in document.workflows.values():
                for local, node in all_nodes(workflow):
                    if node.overrides.settings is not None:
                        yield f"workflow {workflow.name}, node {local}", node.location, node.overrides.settings
