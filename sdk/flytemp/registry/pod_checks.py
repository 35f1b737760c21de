"""Comparison of tasks and launch plans with the rules for pods that the workers published."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterator, Sequence

from flytemp.errors import Location, Problem
from flytemp.pods.containers import PodJson, add_security_context
from flytemp.pods.rules import RULES_HINT, EffectiveRules
from flytemp.registry.platform_limits import PlatformLimits, task_settings
from flytemp.spec.canonical import AnyDocument
from flytemp.spec.models import LaunchPlanDocument, SourceLocation, TaskSettings


def disallowed_pods(
    documents: Sequence[AnyDocument], limits_of: Callable[[str | None], PlatformLimits], project: str, domain: str
) -> list[Problem]:
    """Return a problem for each rule that a task's pod template, secrets or a launch plan's service account break.

    A named PodTemplate is in the cluster and is not checked here. The workers check the complete pod.

    Args:
        documents: the documents with the tasks and launch plans.
        limits_of: returns the published limits of a pool, or of the default workers for None.
        project: the project of the documents.
        domain: the domain of the documents.
    """
    found: dict[str, Problem] = {}
    for owner, place, pool, violations in _checks(documents):
        rules = limits_of(pool).pods
        for violation in violations(rules.of(project, domain)) if rules is not None else ():
            text = f"{owner}: the policy of the platform does not allow its pods in {project}-{domain}: {violation}"
            where = Location(place.file, place.line) if place is not None else None
            found.setdefault(text, Problem(text, where, RULES_HINT))
    return list(found.values())


Check = tuple[str, SourceLocation | None, str | None, Callable[[EffectiveRules], Iterator[str]]]
"""Owner of a pod, its location, the pool of its workers, and a function that returns its violations of rules."""


def _checks(documents: Sequence[AnyDocument]) -> Iterator[Check]:
    for owner, place, settings in task_settings(documents):
        yield owner, place, settings.pool, functools.partial(_violations, settings)
    for document in documents:
        if isinstance(document, LaunchPlanDocument) and (account := document.launch_plan.service_account) is not None:
            plan = document.launch_plan
            yield f"launch plan {document.name}", plan.location, None, functools.partial(_account_violations, account)


def _account_violations(account: str, rules: EffectiveRules) -> Iterator[str]:
    wrong = rules.account_violation(account)
    yield from [wrong] if wrong is not None else []


def _violations(settings: TaskSettings, rules: EffectiveRules) -> Iterator[str]:
    yield from rules.secret_violations(
        f"{request.group or ''}-{request.group_version}" if request.group_version else request.group or ""
        for request in settings.secrets
    )
    if settings.pod_template is not None:
        spec: PodJson = copy.deepcopy(settings.pod_template.spec)
        add_security_context(spec, rules.rules.security_context)
        yield from rules.violations(settings.pod_template.annotations | settings.annotations, spec)
