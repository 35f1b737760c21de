"""Rules of the operator for pods: a level of the Pod Security Standards, and lists of what else is allowed and denied."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from pydantic import BaseModel, ConfigDict

from flytemp.pods.containers import PodJson, add_security_context, all_containers
from flytemp.pods.references import priority_classes, pull_secrets, secret_names, service_accounts
from flytemp.pods.security_standards import Level, permits_volume, standard_violations

HostAccess = Literal["hostNetwork", "hostPID", "hostIPC", "hostPort", "nodeName"]
"""Fields of a pod that reach the Kubernetes node. ``nodeName`` evades the scheduler."""

Names = tuple[str, ...]
"""Names; ``*`` and ``?`` stand for any characters and for one character."""

DEFAULT_SECURITY_CONTEXT: PodJson = {
    "runAsNonRoot": True, "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}  # fmt: skip
"""Security context that satisfies the level ``restricted``."""


ROOT_HINT = (
    "an image whose user is root needs another user in its Dockerfile or runAsUser in the pod template, or a policy with "
    'pod_security = "baseline" and runAsNonRoot: false in the pod template'
)
"""Hint of an image that runs as root."""

RULES_HINT = (
    "change the task's pod template, secrets or service account, or ask the operator of the platform to change pod_security, "
    f"allow or deny in the policy; {ROOT_HINT}"
)
"""Hint of a pod that the rules refuse."""


class PodLists(BaseModel):
    """Lists of names that pods may use (``allow``) or may not use (``deny``). None: the list of the less specific place.

    Attributes:
        service_accounts: service accounts that a launch, a launch plan or a template may name.
        secrets: secrets that a task may read.
        priority_classes: priority classes that a template may name.
        volumes: types of volumes, such as ``nfs``, in addition to those of the level.
        host_access: access to the Kubernetes node, in addition to that of the level.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    service_accounts: Names | None = None
    secrets: Names | None = None
    priority_classes: Names | None = None
    volumes: Names | None = None
    host_access: tuple[HostAccess, ...] | None = None


class PlaceRules(BaseModel):
    """Rules of one project, or of one project and domain, that differ from the general ones."""

    model_config = ConfigDict(frozen=True)

    allow: PodLists = PodLists()
    deny: PodLists = PodLists()
    service_account: str | None = None


class PodRules(BaseModel):
    """Rules for the pods of the workers of one task queue.

    Attributes:
        pod_security: level of the Pod Security Standards.
        security_context: default of each container's security context.
        allow: lists of allowed names.
        deny: lists of denied names, which take precedence.
        service_account: service account of pods that name none.
        environment_secrets: secrets whose keys are variables of all tasks.
        pull_secrets: secrets for pulling images, which tasks may not read.
        overrides: rules by project (``project``) or by project and domain (``project-domain``).
    """

    model_config = ConfigDict(frozen=True)

    pod_security: Level = "restricted"
    security_context: PodJson = DEFAULT_SECURITY_CONTEXT
    allow: PodLists = PodLists()
    deny: PodLists = PodLists()
    service_account: str | None = None
    environment_secrets: Names = ()
    pull_secrets: Names = ()
    overrides: dict[str, PlaceRules] = {}

    def of(self, project: str, domain: str) -> EffectiveRules:
        """Return the rules of a project and domain. The most specific ``allow`` counts; all ``deny`` lists count together."""
        near = [self.overrides[key] for key in (f"{project}-{domain}", project) if key in self.overrides]
        account = next((place.service_account for place in near if place.service_account), self.service_account)
        return EffectiveRules(
            rules=self,
            allow=_first([*(place.allow for place in near), self.allow, PodLists(secrets=("*",))]),
            deny=_joined([*(place.deny for place in near), self.deny]),
            service_account=account or "default",
        )


@dataclass(frozen=True, slots=True)
class EffectiveRules:
    """Rules of one project and domain.

    Attributes:
        rules: rules of the task queue.
        allow: allowed names, by list.
        deny: denied names, by list.
        service_account: service account of pods that name none, which is always allowed.
    """

    rules: PodRules
    allow: Mapping[str, Names]
    deny: Mapping[str, Names]
    service_account: str

    def permits(self, kind: str, name: str, *, by_default: bool = False) -> bool:
        """Return whether a name may be used. ``kind`` is a field of `PodLists`; ``by_default``: the level permits the name."""
        return not _matches(name, self.deny[kind]) and (by_default or _matches(name, self.allow[kind]))

    def permits_account(self, name: str) -> bool:
        """Return whether a pod may use a service account."""
        return self.permits("service_accounts", name, by_default=name == self.service_account)

    def account_violation(self, name: str) -> str | None:
        """Return the violation by a service account that is not allowed, or None."""
        return None if self.permits_account(name) else _refused("the service account", name, "service_accounts", self)

    def secret_violations(self, names: Iterator[str]) -> Iterator[str]:
        """Yield a violation for each secret that a task may not read."""
        own = self.rules.environment_secrets
        for name in dict.fromkeys(names):
            is_for_images = name in self.rules.pull_secrets and name not in own
            if is_for_images or not self.permits("secrets", name, by_default=name in own):
                reason = "is for pulling images only" if is_for_images else _unlisted(name, "secrets", self)
                yield f"the secret {name!r} {reason}"

    def violations(self, annotations: Mapping[str, str], spec: PodJson) -> Iterator[str]:
        """Yield each rule that a pod breaks. Each container must already have the default security context."""
        level = self.rules.pod_security
        for violation in standard_violations(annotations, spec, level):
            yield f"{violation} (Pod Security: {level})"
        yield from self._host_access(spec)
        for volume in spec.get("volumes") or ():
            for kind in sorted(kind for kind in volume.keys() - {"name"} if volume[kind] is not None):
                if not self.permits("volumes", kind, by_default=permits_volume(level, kind)):
                    yield f"the volume {volume.get('name')!r}: the type {kind!r} {_unlisted(kind, 'volumes', self)}"
        for account in service_accounts(spec):
            if (wrong := self.account_violation(account)) is not None:
                yield wrong
        for name in priority_classes(spec):
            if not self.permits("priority_classes", name):
                yield _refused("the priority class", name, "priority_classes", self)
        yield from self.secret_violations(secret_names(spec))
        for name in pull_secrets(spec):
            if not self.permits("secrets", name, by_default=name in self.rules.pull_secrets):
                yield _refused("the secret", name, "secrets", self)

    def _host_access(self, spec: PodJson) -> Iterator[str]:
        fields = {name: spec.get(name) for name in ("hostNetwork", "hostPID", "hostIPC", "nodeName")}
        ports = [port for container in all_containers(spec) for port in container.get("ports") or () if port.get("hostPort")]
        for name, value in {**fields, "hostPort": ports}.items():
            if value and not self.permits("host_access", name, by_default=self.rules.pod_security == "privileged"):
                yield f"{name} {_unlisted(name, 'host_access', self)}"


def plain_pod_violations(rules: PodRules) -> list[str]:
    """Return the violations of a pod without a template: the default security context must satisfy the level."""
    spec: PodJson = {"containers": [{"name": "primary"}]}
    add_security_context(spec, rules.security_context)
    return [*standard_violations({}, spec, rules.pod_security)]


def _refused(noun: str, name: str, kind: str, rules: EffectiveRules) -> str:
    return f"{noun} {name!r} {_unlisted(name, kind, rules)}"


def _unlisted(name: str, kind: str, rules: EffectiveRules) -> str:
    return f"is in deny.{kind}" if _matches(name, rules.deny[kind]) else f"is not in allow.{kind}"


def _matches(name: str, patterns: Names) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _first(places: list[PodLists]) -> dict[str, Names]:
    """Return for each list the one of the first place that has it."""
    return {kind: next((names for place in places if (names := _list(place, kind)) is not None), ()) for kind in _KINDS}


def _joined(places: list[PodLists]) -> dict[str, Names]:
    return {kind: tuple(name for place in places for name in _list(place, kind) or ()) for kind in _KINDS}


def _list(place: PodLists, kind: str) -> Names | None:
    names: Names | None = getattr(place, kind)
    return names


_KINDS = tuple(PodLists.model_fields)
