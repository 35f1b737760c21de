"""Comparison of tasks and launch plans with the rules for pods that the workers published."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator

from flytemp.errors import Location, Problem
from flytemp.pods.containers import PodJson, add_security_context
from flytemp.pods.rules import RULES_HINT, EffectiveRules
from flytemp.registry.platform_limits import PlatformLimits, task_settings
from flytemp.spec.canonical import AnyDocument
from flytemp.spec.models import LaunchPlanDocument, SourceLocation, TaskSettings


def disallowed_pods(
    documents: Iterable[AnyDocument], limits_of: Callable[[str | None], PlatformLimits], project: str, domain: str
) -> list[Problem]:
    """Return a problem for each rule that a task's pod template, secrets or a launch plan's service account break.

    A named PodTemplate is in the cluster and is not checked here. The workers check the complete pod.

    Args:
        documents: the documents with the tasks and launch plans.
        limits_of: returns the published limits of a pool, or of the default workers for None.
        project: the project of the documents.
        domain: the domain of the documents.
    """
    known: dict[str | None, EffectiveRules | None] = {}

    def rules(pool: str | None) -> EffectiveRules | None:
        if pool not in known:
            pods = limits_of(pool).pods
            known[pool] = None if pods is None else pods.of(project, domain)
        return known[pool]

    found: dict[str, Problem] = {}

    def add(owner: str, place: SourceLocation | None, violations: Iterable[str]) -> None:
        where = Location(place.file, place.line) if place is not None else None
        for violation in violations:
            text = f"{owner}: the policy of the platform does not allow its pods in {project}-{domain}: {violation}"
            found.setdefault(text, Problem(text, where, RULES_HINT))

    documents = list(documents)
    for owner, place, settings in task_settings(documents):
        if (effective := rules(settings.pool)) is not None:
            add(owner, place, _violations(settings, effective))
    for document in documents:
        if isinstance(document, LaunchPlanDocument) and (account := document.launch_plan.service_account) is not None:
            wrong = None if (effective := rules(None)) is None else effective.account_violation(account)
            add(f"launch plan {document.name}", document.launch_plan.location, [wrong] if wrong is not None else [])
    return list(found.values())


def _violations(settings: TaskSettings, rules: EffectiveRules) -> Iterator[str]:
    yield from rules.secret_violations(
        f"{request.group or ''}-{request.group_version}" if request.group_version else request.group or ""
        for request in settings.secrets
    )
    if settings.pod_template is not None:
        spec: PodJson = copy.deepcopy(settings.pod_template.spec)
        add_security_context(spec, rules.rules.security_context)
        yield from rules.violations(settings.pod_template.annotations | settings.annotations, spec)
