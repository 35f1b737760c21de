"""Documents of the tests of the registry."""

from __future__ import annotations

from flytemp.names import EntityId, EntityKind
from flytemp.spec.models import (
    BundleRef,
    Interface,
    LaunchPlanDocument,
    LaunchPlanSpec,
    Retries,
    SourceLocation,
    TaskDocument,
    TaskSettings,
    TaskSpec,
    WorkflowDocument,
    WorkflowSpec,
)

PLACE = {"project": "p", "domain": "d"}


def task(name: str, retries: int = 0, line: int = 1, digest: str = "0" * 64) -> TaskDocument:
    spec = TaskSpec(
        name=name,
        interface=Interface(),
        loader=f"m:{name}",
        settings=TaskSettings(retries=Retries(count=retries)),
        location=SourceLocation(file="m.py", line=line),
    )
    return TaskDocument(task=spec, bundle=BundleRef(digest=digest, size=1))


def workflow(name: str) -> WorkflowDocument:
    return WorkflowDocument(name=name, workflows={name: WorkflowSpec(name=name, interface=Interface())})


def launch_plan(name: str) -> LaunchPlanDocument:
    return LaunchPlanDocument(launch_plan=LaunchPlanSpec(name=name, workflow=name), interface=Interface(), workflow_digest="x")


def tsk(name: str, version: str | None = None) -> EntityId:
    return EntityId(EntityKind.TASK, "p", "d", name, version)
