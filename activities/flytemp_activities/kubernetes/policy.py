"""What the operator of a cluster lays down for pods: a TOML file, checked when the worker starts."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from flytemp.authoring.quantities import quantity
from flytemp.errors import ConfigError
from flytemp.registry.platform_limits import PlatformLimits, overlaid
from flytemp.spec.models import ResourceAmounts
from flytemp_activities.kubernetes.links import check_template

Json = dict[str, Any]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PolicyOverride(_Part):
    """Where pods of a project and domain run, and as whom. What is not said here is said by the policy itself."""

    namespace: str | None = None
    service_account: str | None = None
    defaults: ResourceAmounts | None = None
    limits: ResourceAmounts | None = None
    environment: dict[str, str] = {}
    pod_template_name: str | None = None


class Accelerators(_Part):
    """How GPUs are asked for. The labels are those that the cluster's nodes have.

    ``devices`` maps names that tasks use to values of ``device_label``; a name without an entry is that value itself.
    """

    resource: str = "nvidia.com/gpu"
    device_label: str = "k8s.amazonaws.com/accelerator"
    partition_label: str = "k8s.amazonaws.com/gpu-partition-size"
    devices: dict[str, str] = {}
    resources: dict[str, str] = {}
    tolerations: tuple[Json, ...] = ({"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},)


class Interruptible(_Part):
    """Machines that can be taken away. ``tries``: of one attempt on them, before the next is on regular ones."""

    node_selector: dict[str, str] = {}
    tolerations: tuple[Json, ...] = ()
    affinity: Json = {}
    tries: int = Field(default=3, ge=1)


class WaitLimits(_Part):
    """How many seconds a pod may wait, by the reason; 0 is without end. Counted from when the worker first sees it."""

    scheduling: float = Field(default=0.0, ge=0)
    quota: float = Field(default=0.0, ge=0)
    image: float = Field(default=180.0, ge=0)
    creating: float = Field(default=180.0, ge=0)
    starting: float = Field(default=0.0, ge=0)  # its volumes are mounted, its containers created
    init: float = Field(default=0.0, ge=0)  # an init container runs
    other: float = Field(default=180.0, ge=0)
    deleting: float = Field(default=30.0, ge=0)  # beyond its grace: a pod that somebody deleted and whose node does not answer


class Memory(_Part):
    """After an attempt that ran out of memory, the next one gets ``factor`` times as much, up to ``limit``."""

    factor: float = Field(default=1.0, ge=1)
    limit: str | None = None


class Policy(_Part):
    """The operator's word. Every field has a default that is safe on a cluster of one's own."""

    namespace: str | None = None  # may use {project} and {domain}; None: the context's own
    image: str | None = None  # of tasks that name none
    images: dict[str, str] = {}  # {{.image.<name>.fqn}} and the like
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = None
    image_pull_secrets: tuple[str, ...] = ()
    service_account: str | None = None
    defaults: ResourceAmounts = ResourceAmounts(cpu="1", memory="1Gi")  # requests of tasks that state none
    limits: ResourceAmounts = ResourceAmounts()  # the most that a task gets
    over_limits: Literal["cut", "refuse"] = "cut"  # what becomes of a task that asks for more
    environment: dict[str, str] = {}
    environment_secrets: tuple[str, ...] = ()  # Kubernetes secrets whose keys become variables of every task
    node_selector: dict[str, str] = {}
    tolerations: tuple[Json, ...] = ()
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    pod_template_name: str | None = None  # a PodTemplate of the namespace, for tasks that name none
    security_context: Json = {
        "runAsNonRoot": True, "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }  # fmt: skip
    accelerators: Accelerators = Accelerators()
    interruptible: Interruptible = Interruptible()
    waits: WaitLimits = WaitLimits()
    memory: Memory = Memory()
    keep_pods: Literal["never", "failed", "always"] = "never"
    keep_hours: float = Field(default=24.0, gt=0)  # what was kept is removed by the janitor after so long
    log_links: dict[str, str] = {}  # addresses of other log systems, by their names; see `links`
    places: dict[str, PolicyOverride] = {}  # by "project-domain", or "project"

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
            raise ValueError("a namespace, in which {project} and {domain} may stand")
        return text

    def place(self, project: str, domain: str) -> PolicyOverride:
        """All that holds for a project and domain, the nearer word first."""
        found = [self.places[key] for key in (f"{project}-{domain}", project) if key in self.places]
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
        """The namespace that all pods are in, where there is one; ``context`` is that of the connection."""
        return (self.namespace or context) if self.is_one_namespace else None

    def platform_limits(self) -> PlatformLimits:
        """What who registers tasks should know."""
        places = {name: place.limits for name, place in self.places.items() if place.limits is not None}
        return PlatformLimits(refuse=self.over_limits == "refuse", limits=self.limits, places=places)

    @property
    def is_one_namespace(self) -> bool:
        """Whether all pods are in one namespace, so that rights on it alone are enough."""
        return "{" not in (self.namespace or "") and not any(place.namespace for place in self.places.values())


def _first(places: list[PolicyOverride], name: str) -> Any:
    return next((value for place in places if (value := getattr(place, name)) is not None), None)


def read_policy(path: Path | None) -> Policy:
    """The policy in a TOML file; the defaults without one.

    Raises:
        ConfigError: it cannot be read, or says what a policy does not.
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
