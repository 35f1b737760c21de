"""Policy of the operator for pods: a TOML file, checked when the worker starts."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from flytemp.authoring.quantities import quantity
from flytemp.errors import ConfigError
from flytemp.pods.rules import DEFAULT_SECURITY_CONTEXT, PlaceRules, PodLists, PodRules, plain_pod_violations
from flytemp.pods.security_standards import Level
from flytemp.pods.shape import form_problems
from flytemp.registry.platform_limits import PlatformLimits, overlaid
from flytemp.spec.models import ResourceAmounts
from flytemp_activities.kubernetes.links import check_template

Json = dict[str, Any]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _formed(kind: str, value: Json) -> Json:
    """Return a part of a pod spec.

    Raises:
        ValueError: a field has a wrong type.
    """
    if problems := list(form_problems(kind, value, kind[0].lower() + kind[1:])):
        raise ValueError("; ".join(problems))
    return value


def _formed_tolerations(tolerations: tuple[Json, ...]) -> tuple[Json, ...]:
    return tuple(_formed("Toleration", one) for one in tolerations)


Tolerations: TypeAlias = Annotated[tuple[Json, ...], AfterValidator(_formed_tolerations)]
"""Tolerations of pods, as in a pod spec."""


class PolicyOverride(_Part):
    """Settings of the pods of one project, or of one project and domain. Fields that are not set have the policy's values."""

    namespace: str | None = None
    service_account: str | None = None
    defaults: ResourceAmounts | None = None
    limits: ResourceAmounts | None = None
    environment: dict[str, str] = {}
    pod_template_name: str | None = None
    allow: PodLists = PodLists()
    deny: PodLists = PodLists()


class Accelerators(_Part):
    """Requests for GPUs. The labels are those of the cluster's nodes.

    ``devices`` maps the device names of tasks to values of ``device_label``. A name without an entry is used as the value.
    """

    resource: str = "nvidia.com/gpu"
    device_label: str = "k8s.amazonaws.com/accelerator"
    partition_label: str = "k8s.amazonaws.com/gpu-partition-size"
    devices: dict[str, str] = {}
    resources: dict[str, str] = {}
    tolerations: tuple[Json, ...] = ({"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},)


class Interruptible(_Part):
    """Interruptible machines. ``tries``: number of tries of one attempt on them before a try on regular machines."""

    node_selector: dict[str, str] = {}
    tolerations: Tolerations = ()
    affinity: Json = {}
    tries: int = Field(default=3, ge=1)

    @field_validator("affinity")
    @classmethod
    def _affinity(cls, affinity: Json) -> Json:
        return _formed("Affinity", affinity)


class PendingLimits(_Part):
    """Maximum seconds for which a pod may wait, by reason; 0 means no limit. Time counts from the first observation."""

    scheduling: float = Field(default=0.0, ge=0)
    quota: float = Field(default=0.0, ge=0)
    image: float = Field(default=180.0, ge=0)
    creating: float = Field(default=180.0, ge=0)
    starting: float = Field(default=0.0, ge=0)  # mount of its volumes, creation of its containers
    init: float = Field(default=0.0, ge=0)  # run of an init container
    other: float = Field(default=180.0, ge=0)
    deleting: float = Field(default=30.0, ge=0)  # time beyond the grace period of a deleted pod whose node does not answer


class Memory(_Part):
    """After an attempt that ran out of memory, the next one gets ``factor`` times as much, up to ``limit``."""

    factor: float = Field(default=1.0, ge=1)
    limit: str | None = None


class Policy(_Part):
    """Policy for the pods of a worker. The defaults are safe on a cluster that is not shared."""

    namespace: str | None = None  # may contain {project} and {domain}; None: that of the connection
    image: str | None = None  # image of tasks that name none
    images: dict[str, str] = {}  # {{.image.<name>.fqn}} and the like
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = None
    image_pull_secrets: tuple[str, ...] = ()
    service_account: str | None = None
    defaults: ResourceAmounts = ResourceAmounts(cpu="1", memory="1Gi")  # requests of tasks without requests
    limits: ResourceAmounts = ResourceAmounts()  # maximum resources of a task
    over_limits: Literal["cut", "refuse"] = "cut"  # reaction to a task that requests more
    environment: dict[str, str] = {}
    environment_secrets: tuple[str, ...] = ()  # Kubernetes secrets whose keys become variables of every task
    node_selector: dict[str, str] = {}
    tolerations: Tolerations = ()
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    pod_template_name: str | None = None  # a PodTemplate of the namespace, for tasks that name none
    security_context: Json = DEFAULT_SECURITY_CONTEXT
    pod_security: Level = "restricted"  # level of the Pod Security Standards
    allow: PodLists = PodLists()  # what else pods may use; see `flytemp.pods.rules`
    deny: PodLists = PodLists()  # what pods may not use, although it is allowed
    accelerators: Accelerators = Accelerators()
    interruptible: Interruptible = Interruptible()
    pending_timeouts: PendingLimits = PendingLimits()
    memory: Memory = Memory()
    keep_pods: Literal["never", "failed", "always"] = "never"
    keep_hours: float = Field(default=24.0, gt=0)  # time after which the janitor removes kept pods
    log_links: dict[str, str] = {}  # URL templates of other log systems, by name; see `links`
    overrides: dict[str, PolicyOverride] = {}  # by "project-domain", or "project"

    @field_validator("defaults", "limits")
    @classmethod
    def _quantities(cls, amounts: ResourceAmounts) -> ResourceAmounts:
        for name, value in amounts:
            if value is not None:
                quantity(value, name)
        return amounts

    @field_validator("log_links")
    @classmethod
    def _links(cls, templates: dict[str, str]) -> dict[str, str]:
        return {name: check_template(text) for name, text in templates.items()}

    @field_validator("namespace")
    @classmethod
    def _template(cls, text: str | None) -> str | None:
        if text is not None and not re.fullmatch(r"([a-z0-9-]|\{project\}|\{domain\})+", text):
            raise ValueError("must be the name of a namespace; it may contain {project} and {domain}")
        return text

    @field_validator("security_context")
    @classmethod
    def _security_context(cls, context: Json) -> Json:
        return _formed("SecurityContext", context)

    @model_validator(mode="after")
    def _satisfies_its_level(self) -> Self:
        if wrong := plain_pod_violations(self.pod_rules()):
            hint = "set pod_security to a level that permits security_context, or correct security_context"
            raise ValueError(f"security_context breaks pod_security = {self.pod_security!r}: {'; '.join(wrong)}; {hint}")
        return self

    def effective(self, project: str, domain: str) -> PolicyOverride:
        """Return the effective settings of a project and domain."""
        found = [self.overrides[key] for key in (f"{project}-{domain}", project) if key in self.overrides]
        return PolicyOverride(
            namespace=_first(found, "namespace") or self._namespace(project, domain),
            service_account=_first(found, "service_account") or self.service_account,
            defaults=overlaid([self.defaults, *(p.defaults for p in reversed(found) if p.defaults)]),
            limits=self.platform_limits().of(project, domain),
            environment={**self.environment, **{k: v for p in reversed(found) for k, v in p.environment.items()}},
            pod_template_name=_first(found, "pod_template_name") or self.pod_template_name,
        )

    def _namespace(self, project: str, domain: str) -> str | None:
        return None if self.namespace is None else self.namespace.replace("{project}", project).replace("{domain}", domain)

    def watched_namespace(self, context: str) -> str | None:
        """Return the namespace of all pods, or None if they have several. ``context``: namespace of the connection."""
        return (self.namespace or context) if self.is_one_namespace else None

    def platform_limits(self) -> PlatformLimits:
        """Return the limits and rules that a registration warns about."""
        overrides = {name: one.limits for name, one in self.overrides.items() if one.limits is not None}
        return PlatformLimits(
            refuse=self.over_limits == "refuse", limits=self.limits, overrides=overrides, pods=self.pod_rules()
        )

    def pod_rules(self) -> PodRules:
        """Return the rules for pods."""
        return PodRules(
            pod_security=self.pod_security,
            security_context=self.security_context,
            allow=self.allow,
            deny=self.deny,
            service_account=self.service_account,
            environment_secrets=self.environment_secrets,
            pull_secrets=self.image_pull_secrets,
            overrides={
                name: PlaceRules(allow=one.allow, deny=one.deny, service_account=one.service_account)
                for name, one in self.overrides.items()
            },
        )

    @property
    def is_one_namespace(self) -> bool:
        """True if all pods are in one namespace, so that the worker needs rights in that namespace only."""
        return "{" not in (self.namespace or "") and not any(one.namespace for one in self.overrides.values())


def _first(overrides: list[PolicyOverride], name: str) -> Any:
    return next((value for one in overrides if (value := getattr(one, name)) is not None), None)


def read_policy(path: Path | None) -> Policy:
    """Return the policy in a TOML file; the defaults without a file.

    Raises:
        ConfigError: the file cannot be read or is not a policy.
    """
    if path is None:
        return Policy()
    try:
        return Policy.model_validate(tomllib.loads(path.read_text()))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        hint = "kubernetes.policy names a TOML file"
        raise ConfigError(f"the policy of pods cannot be read: {path}: {error}", hint=hint) from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors()[:5])
        raise ConfigError(f"the policy of pods in {path} is wrong: {wrong}", hint="see the how-to on Kubernetes") from error
