"""Pod of a try, as JSON: a pure function of the invocation, the policy and the templates.

The sources, from the lowest to the highest precedence: the operator's policy; the named PodTemplate of the namespace; the
task's own ``pod_template``; the task's settings (image, resources, variables, secrets, accelerator); the fields that flytemp
needs.
"""

from __future__ import annotations

import base64
import re
import zlib
from dataclasses import dataclass, field
from typing import Any

from flytemp.errors import ConfigError, InputError
from flytemp.pods.containers import add_security_context
from flytemp.pods.rules import RULES_HINT
from flytemp.registry.platform_limits import exceeding
from flytemp.runtime.invocation import Invocation
from flytemp.spec.models import ContainerSpec
from flytemp_activities.kubernetes import containers, names
from flytemp_activities.kubernetes.merge import strategic_merge, with_defaults
from flytemp_activities.kubernetes.policy import Policy, PolicyOverride
from flytemp_activities.kubernetes.resources import Granted, accelerator_terms, accelerator_tolerations, grant
from flytemp_activities.kubernetes.secrets import secret_parts

Json = dict[str, Any]

COMMAND = ("python3", "-P", "-m", "flytemp.runtime.pod")
INVOCATION_VARIABLE = "FLYTEMP_INVOCATION"
"""Variable with the invocation, compressed, in base64."""

INVOCATION_KEY_VARIABLE = "FLYTEMP_INVOCATION_KEY"
"""Variable with the key in the store of an invocation that is too long for a variable."""

INVOCATION_BYTES = 64 * 1024
"""Maximum length of the encoded invocation. Linux allows 128 KiB per variable, etcd 1.5 MiB per pod."""

SHARED_MEMORY = "flyte-shared-memory"
GRACE_SECONDS = 30


@dataclass(frozen=True, slots=True)
class PodManifest:
    """A pod to create. ``notes`` list the requests that the platform reduced."""

    pod: Json
    primary: str
    namespace: str
    notes: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return str(self.pod["metadata"]["name"])


@dataclass(frozen=True, slots=True)
class ManifestInputs:
    """Inputs of the manifest besides the invocation.

    Attributes:
        policy: policy of the operator.
        namespace: default namespace of pods.
        task_queue: task queue of the worker.
        template: metadata and spec of the named PodTemplate.
        out_of_memory: number of consecutive attempts before this one that ran out of memory.
        encoded: the invocation as the text of a variable; None if it is stored or the pod runs no program of flytemp.
        stored: key of the invocation in the store, if it is too long for a variable.
        literals: inputs of a container's command.
    """

    policy: Policy
    namespace: str
    task_queue: str
    template: Json | None = None
    out_of_memory: int = 0
    encoded: str | None = None
    stored: str | None = None
    literals: dict[str, Any] = field(default_factory=dict)


def build_manifest(invocation: Invocation, given: ManifestInputs) -> PodManifest:
    """Return the pod of a try.

    Raises:
        InputError: the task requests a pod that cannot exist, or that the policy does not allow.
        ConfigError: there is no image for the task.
    """
    settings = invocation.task.settings
    effective = given.policy.effective(invocation.project, invocation.domain)
    primary = settings.pod_template.primary_container_name if settings.pod_template is not None else "primary"
    if given.policy.over_limits == "refuse" and (excess := ", ".join(exceeding(settings.resources, effective.limits or _NONE))):
        raise InputError(f"the task requests more than the limits of the platform: {excess}", hint="request less")
    granted = grant(settings, given.policy, effective.defaults or _NONE, effective.limits or _NONE, given.out_of_memory)
    spec = _policy_spec(given.policy, effective, invocation, primary)
    template = given.template or {}
    spec = strategic_merge(spec, with_defaults(template.get("spec") or {}, primary))
    if settings.pod_template is not None:
        spec = strategic_merge(spec, with_defaults(settings.pod_template.spec, primary))
    spec = strategic_merge(with_defaults(spec, primary), _task_spec(invocation, given, effective, primary, granted))
    _secure(spec, given.policy)
    metadata = _metadata(invocation, given, primary)
    _check_policy(invocation, given.policy, metadata["annotations"], spec)
    return PodManifest({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec},
                 primary, effective.namespace or given.namespace, granted.notes)  # fmt: skip


def _check_policy(invocation: Invocation, policy: Policy, annotations: dict[str, str], spec: Json) -> None:
    """Raise InputError if the merged pod breaks a rule of the policy, whatever part of the pod breaks the rule."""
    violations = [*policy.pod_rules().of(invocation.project, invocation.domain).violations(annotations, spec)]
    if violations:
        raise InputError(f"the policy of the platform does not allow the task's pod: {'; '.join(violations)}", hint=RULES_HINT)


def _metadata(invocation: Invocation, given: ManifestInputs, primary: str) -> Json:
    settings, policy = invocation.task.settings, given.policy
    metadata = (given.template or {}).get("metadata") or {}
    template = settings.pod_template
    labels = {
        **policy.labels, **(metadata.get("labels") or {}), **(template.labels if template is not None else {}),
        **invocation.labels, **settings.labels, **names.pod_labels(invocation, given.task_queue),
    }  # fmt: skip
    annotations = {
        **policy.annotations, **(metadata.get("annotations") or {}), **(template.annotations if template is not None else {}),
        **invocation.annotations, **settings.annotations, **names.pod_annotations(invocation, primary),
    }  # fmt: skip
    return {"name": names.pod_name(invocation), "labels": labels, "annotations": annotations}


def _policy_spec(policy: Policy, effective: PolicyOverride, invocation: Invocation, primary: str) -> Json:
    container: Json = {"name": primary, "env": _variables(effective.environment)}
    if policy.environment_secrets:
        container["envFrom"] = [{"secretRef": {"name": name}} for name in policy.environment_secrets]
    spec: Json = {
        "containers": [container],
        "nodeSelector": dict(policy.node_selector),
        "tolerations": [dict(toleration) for toleration in policy.tolerations],
    }
    if policy.image_pull_secrets:
        spec["imagePullSecrets"] = [{"name": name} for name in policy.image_pull_secrets]
    if is_interruptible(invocation, policy):
        spot = policy.interruptible
        there = {"nodeSelector": spot.node_selector, "tolerations": list(spot.tolerations), "affinity": spot.affinity}
        spec = strategic_merge(spec, there)
    return spec


def is_interruptible(invocation: Invocation, policy: Policy) -> bool:
    """Return whether this try may run on an interruptible machine: not the last attempt, and not after several tries."""
    settings = invocation.task.settings
    wanted = settings.interruptible if settings.interruptible is not None else invocation.interruptible
    last = settings.retries.count > 0 and invocation.attempt > settings.retries.count
    return bool(wanted) and not last and invocation.try_ <= policy.interruptible.tries


def _task_spec(invocation: Invocation, given: ManifestInputs, effective: PolicyOverride, primary: str, granted: Granted) -> Json:
    settings = invocation.task.settings
    variables, volumes, mounts = secret_parts(settings.secrets)
    container: Json = {
        "name": primary,
        "env": [*_variables(invocation.environment), *variables],
        "resources": granted.resources,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": mounts,
    }
    own = _own_variables(invocation, given)
    programs: Json = {}
    command = containers.container_of(invocation.task)
    if command is not None:
        programs = _container_task(container, invocation, command, given, effective, own)
        volumes += programs.pop("volumes", [])
        mounts += programs.pop("mounts", [])
    else:
        container["image"] = resolve_image(settings.container_image, given.policy)
        container["command"], container["args"] = list(COMMAND), []
        container["env"] += own
    if given.policy.image_pull_policy is not None:
        container["imagePullPolicy"] = given.policy.image_pull_policy
    if settings.shared_memory:
        volume: Json = {"name": SHARED_MEMORY, "emptyDir": {"medium": "Memory"}}
        size = granted.memory if settings.shared_memory is True else settings.shared_memory
        if size:
            volume["emptyDir"]["sizeLimit"] = size
        volumes.append(volume)
        mounts.append({"name": SHARED_MEMORY, "mountPath": "/dev/shm"})
    spec: Json = {
        "containers": [container],
        **programs,
        "restartPolicy": "Never",
        "enableServiceLinks": False,
        "volumes": volumes,
        "tolerations": [],
    }
    if account := invocation.service_account or effective.service_account:
        spec["serviceAccountName"] = account
    if settings.accelerator is not None or settings.resources.limits.gpu or settings.resources.requests.gpu:
        spec["tolerations"] = accelerator_tolerations(settings.accelerator, given.policy.accelerators)
    if settings.accelerator is not None:
        terms = accelerator_terms(settings.accelerator, given.policy.accelerators)
        required = {"nodeSelectorTerms": [{"matchExpressions": terms}]}
        spec["affinity"] = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    return spec


def _variables(environment: dict[str, str]) -> list[Json]:
    return [{"name": name, "value": value} for name, value in environment.items()]


def _own_variables(invocation: Invocation, given: ManifestInputs) -> list[Json]:
    own: list[Json] = [
        {"name": "FLYTEMP_POD_UID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}},
        {"name": "FLYTEMP_PROTOCOL", "value": str(invocation.protocol)},
        {"name": "FLYTEMP_STORE", "value": invocation.store},
    ]
    if given.stored is None and given.encoded is None:
        return own
    # Both are set, so that no template, secret or image can add the other one.
    return [
        *own,
        {"name": INVOCATION_VARIABLE, "value": given.encoded or ""},
        {"name": INVOCATION_KEY_VARIABLE, "value": given.stored or ""},
    ]


def encode_invocation(invocation: Invocation) -> str:
    """Return the invocation as the text of a variable."""
    return base64.b64encode(zlib.compress(invocation.model_dump_json().encode(), 6)).decode()


def _container_task(
    container: Json,
    invocation: Invocation,
    command: ContainerSpec,
    given: ManifestInputs,
    effective: PolicyOverride,
    own: list[Json],
) -> Json:
    """Set image and command of the task's container; return the parts of the pod spec that transfer data."""
    policy = given.policy
    container["image"] = resolve_image(invocation.task.settings.container_image or command.image, policy)
    container.update(containers.own_command(invocation, command, given.literals))
    secrets = [{"secretRef": {"name": name}} for name in policy.environment_secrets]
    return containers.sidecars(invocation, command, policy.image, [*_variables(effective.environment), *own], secrets)


def resolve_image(wanted: str | None, policy: Policy) -> str:
    """Return the name of the image: the task's, with flytekit's templates filled in, else the operator's default.

    Raises:
        ConfigError: there is neither.
        InputError: a template names an image that the policy does not have.
    """
    if wanted is None:
        if policy.image is None:
            hint = "set kubernetes.image (FLYTEMP_KUBERNETES_IMAGE), or container_image of the task"
            raise ConfigError("the task names no image, and no default image is configured", hint=hint)
        return policy.image
    known = {**({"default": policy.image} if policy.image is not None else {}), **policy.images}
    return re.sub(r"\{\{\s*\.images?\.([A-Za-z0-9_-]+)(?:\.(fqn|version|tag))?\s*\}\}", lambda m: _part(m, known), wanted)


def _part(match: re.Match[str], known: dict[str, str]) -> str:
    name, part = match[1], match[2]
    if name not in known:
        hint = f"the policy's images are {', '.join(sorted(known)) or 'none'}"
        raise InputError(f"container_image names the image {name!r}, which the policy does not have", hint=hint)
    image = known[name]
    base, colon, tag = image.rpartition(":")
    if not colon or "/" in tag:
        base, tag = image, "latest"
    return {"fqn": base, "version": tag, "tag": tag, None: image}[part]


def _secure(spec: Json, policy: Policy) -> None:
    """Set the policy's security context, which a template may override for each container, and other safe defaults."""
    add_security_context(spec, policy.security_context)
    for name in [name for name, value in spec.items() if value in ([], {}, None)]:
        del spec[name]
    spec.setdefault("automountServiceAccountToken", False)
    spec.setdefault("terminationGracePeriodSeconds", GRACE_SECONDS)


_NONE = Policy().limits
