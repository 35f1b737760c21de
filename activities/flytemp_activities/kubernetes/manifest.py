"""The pod of a try, as JSON: a pure function of the invocation, the policy and the templates.

From the lowest to the highest word: the operator's policy; the named PodTemplate of the namespace; the task's own
``pod_template``; what the task says by itself (image, resources, variables, secrets, accelerator); what flytemp needs.
"""

from __future__ import annotations

import base64
import re
import zlib
from dataclasses import dataclass, field
from typing import Any

from flytemp.errors import ConfigError, InputError
from flytemp.registry.platform_limits import exceeding
from flytemp.runtime.invocation import Invocation
from flytemp.spec.models import ContainerSpec
from flytemp_activities.kubernetes import containers, names
from flytemp_activities.kubernetes.merge import overlay, with_defaults
from flytemp_activities.kubernetes.policy import Policy, PolicyOverride
from flytemp_activities.kubernetes.resources import Granted, accelerator_terms, accelerator_tolerations, grant
from flytemp_activities.kubernetes.secrets import secret_parts

Json = dict[str, Any]

COMMAND = ("python3", "-P", "-m", "flytemp.runtime.pod")
INVOCATION_VARIABLE = "FLYTEMP_INVOCATION"
"""Compressed and in base64; where it is long, it lies in the store and ``FLYTEMP_INVOCATION_KEY`` says where."""

MOST_INVOCATION_BYTES = 64 * 1024
"""Of the encoded invocation in a variable. Linux takes 128 KiB for one, etcd 1.5 MiB for the pod."""

SHARED_MEMORY = "flyte-shared-memory"
GRACE_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Built:
    """A pod to create. ``notes`` tell what the platform changed of what was asked for."""

    pod: Json
    primary: str
    namespace: str
    notes: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return str(self.pod["metadata"]["name"])


@dataclass(frozen=True, slots=True)
class ManifestInputs:
    """What the manifest depends on beside the invocation.

    ``template`` is the spec (with its metadata) of the named PodTemplate. ``out_of_memory`` counts the attempts before this
    one that ran out of memory. ``encoded`` is the invocation as a variable's text, ``stored`` its key in the store where it is
    too long for one; both are None where nothing of flytemp runs in the pod. ``literals``
    are a container task's inputs, where its command has them in it.
    """

    policy: Policy
    namespace: str
    task_queue: str
    template: Json | None = None
    out_of_memory: int = 0
    encoded: str | None = None
    stored: str | None = None
    literals: dict[str, Any] = field(default_factory=dict)


def build(invocation: Invocation, around: ManifestInputs) -> Built:
    """The pod.

    Raises:
        InputError: what the task asks for cannot be a pod.
        ConfigError: no image is known for it.
    """
    settings = invocation.task.settings
    place = around.policy.place(invocation.project, invocation.domain)
    primary = settings.pod_template.primary_container_name if settings.pod_template is not None else "primary"
    if around.policy.over_limits == "refuse" and (excess := ", ".join(exceeding(settings.resources, place.limits or _NONE))):
        raise InputError(f"the task asks for more than the platform gives it: {excess}", hint="ask for less")
    granted = grant(settings, around.policy, place.defaults or _NONE, place.limits or _NONE, around.out_of_memory)
    spec = _policy_spec(around.policy, place, invocation, primary)
    template = around.template or {}
    spec = overlay(spec, with_defaults(template.get("spec") or {}, primary))
    if settings.pod_template is not None:
        spec = overlay(spec, with_defaults(settings.pod_template.spec, primary))
    spec = overlay(with_defaults(spec, primary), _task_spec(invocation, around, place, primary, granted))
    _secure(spec, around.policy)
    return Built({"apiVersion": "v1", "kind": "Pod", "metadata": _metadata(invocation, around, primary), "spec": spec},
                 primary, place.namespace or around.namespace, granted.notes)  # fmt: skip


def _metadata(invocation: Invocation, around: ManifestInputs, primary: str) -> Json:
    settings, policy = invocation.task.settings, around.policy
    told = (around.template or {}).get("metadata") or {}
    template = settings.pod_template
    labels = {
        **policy.labels, **(told.get("labels") or {}), **(template.labels if template is not None else {}),
        **invocation.labels, **settings.labels, **names.pod_labels(invocation, around.task_queue),
    }  # fmt: skip
    annotations = {
        **policy.annotations, **(told.get("annotations") or {}), **(template.annotations if template is not None else {}),
        **invocation.annotations, **settings.annotations, **names.pod_annotations(invocation, primary),
    }  # fmt: skip
    return {"name": names.pod_name(invocation), "labels": labels, "annotations": annotations}


def _policy_spec(policy: Policy, place: PolicyOverride, invocation: Invocation, primary: str) -> Json:
    container: Json = {"name": primary, "env": _variables(place.environment)}
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
        spec = overlay(spec, there)
    return spec


def is_interruptible(invocation: Invocation, policy: Policy) -> bool:
    """Whether this try may run on a machine that can be taken away: not the last attempt, and not after some tries."""
    settings = invocation.task.settings
    wanted = settings.interruptible if settings.interruptible is not None else invocation.interruptible
    last = settings.retries.count > 0 and invocation.attempt > settings.retries.count
    return bool(wanted) and not last and invocation.try_ <= policy.interruptible.tries


def _task_spec(invocation: Invocation, around: ManifestInputs, place: PolicyOverride, primary: str, granted: Granted) -> Json:
    settings = invocation.task.settings
    variables, volumes, mounts = secret_parts(settings.secrets)
    container: Json = {
        "name": primary,
        "env": [*_variables(invocation.environment), *variables],
        "resources": granted.resources,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": mounts,
    }
    own = _own_variables(invocation, around)
    programs: Json = {}
    command = containers.container_of(invocation.task)
    if command is not None:
        programs = _container_task(container, invocation, command, around, place, own)
        volumes += programs.pop("volumes", [])
        mounts += programs.pop("mounts", [])
    else:
        container["image"] = image_of(settings.container_image, around.policy)
        container["command"], container["args"] = list(COMMAND), []
        container["env"] += own
    if around.policy.image_pull_policy is not None:
        container["imagePullPolicy"] = around.policy.image_pull_policy
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
    if account := invocation.service_account or place.service_account:
        spec["serviceAccountName"] = account
    if settings.accelerator is not None or settings.resources.limits.gpu or settings.resources.requests.gpu:
        spec["tolerations"] = accelerator_tolerations(settings.accelerator, around.policy.accelerators)
    if settings.accelerator is not None:
        terms = accelerator_terms(settings.accelerator, around.policy.accelerators)
        required = {"nodeSelectorTerms": [{"matchExpressions": terms}]}
        spec["affinity"] = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    return spec


def _variables(environment: dict[str, str]) -> list[Json]:
    return [{"name": name, "value": value} for name, value in environment.items()]


def _own_variables(invocation: Invocation, around: ManifestInputs) -> list[Json]:
    own: list[Json] = [
        {"name": "FLYTEMP_POD_UID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}},
        {"name": "FLYTEMP_PROTOCOL", "value": str(invocation.protocol)},
        {"name": "FLYTEMP_STORE", "value": invocation.store},
    ]
    if around.stored is not None:
        return [*own, {"name": "FLYTEMP_INVOCATION_KEY", "value": around.stored}]
    return [*own, {"name": INVOCATION_VARIABLE, "value": around.encoded}] if around.encoded is not None else own


def encoded(invocation: Invocation) -> str:
    """The invocation as the text of a variable."""
    return base64.b64encode(zlib.compress(invocation.model_dump_json().encode(), 6)).decode()


def _container_task(
    container: Json,
    invocation: Invocation,
    command: ContainerSpec,
    around: ManifestInputs,
    place: PolicyOverride,
    own: list[Json],
) -> Json:
    """Set image and command of the task's container; return the parts of the pod spec that transfer data."""
    policy = around.policy
    container["image"] = image_of(invocation.task.settings.container_image or command.image, policy)
    container.update(containers.own_command(invocation, command, around.literals))
    secrets = [{"secretRef": {"name": name}} for name in policy.environment_secrets]
    return containers.sidecars(invocation, command, policy.image, [*_variables(place.environment), *own], secrets)


def image_of(wanted: str | None, policy: Policy) -> str:
    """The image's name: the task's, with flytekit's templates filled in, else the operator's default.

    Raises:
        ConfigError: there is neither.
        InputError: a template names an image that the policy does not know.
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
        raise InputError(f"container_image names the image {name!r}, which the platform does not know", hint=hint)
    image = known[name]
    base, colon, tag = image.rpartition(":")
    if not colon or "/" in tag:
        base, tag = image, "latest"
    return {"fqn": base, "version": tag, "tag": tag, None: image}[part]


def _secure(spec: Json, policy: Policy) -> None:
    """Safe by default; a template may say otherwise, container by container."""
    for container in [*spec["containers"], *(spec.get("initContainers") or ())]:
        container["securityContext"] = {**policy.security_context, **(container.get("securityContext") or {})}
    spec.setdefault("automountServiceAccountToken", False)
    spec.setdefault("terminationGracePeriodSeconds", GRACE_SECONDS)
    for name in [name for name, value in spec.items() if value in ([], {}, None)]:
        del spec[name]


_NONE = Policy().limits
