"""Resources of a task's container, within the limits of the operator."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from flytemp.authoring.quantities import amount
from flytemp.spec.models import AcceleratorSpec, ResourceAmounts, TaskSettings
from flytemp_activities.kubernetes.policy import Accelerators, Memory, Policy

Json = dict[str, Any]

_NAMES = {"cpu": "cpu", "memory": "memory", "ephemeral_storage": "ephemeral-storage"}


@dataclass(frozen=True, slots=True)
class Granted:
    """Resources of a container. ``notes`` list the requests that were reduced."""

    resources: Json
    notes: list[str] = field(default_factory=list)
    memory: str | None = None


def grant(
    settings: TaskSettings, policy: Policy, defaults: ResourceAmounts, limits: ResourceAmounts, out_of_memory: int = 0
) -> Granted:
    """Return requests and limits, by the rules of Flyte's admission.

    A task with one of a pair has the other equal to it; a task with neither has the default. A value above the operator's limit
    is reduced to the limit. Request and limit of a GPU are equal.

    Args:
        defaults: defaults of the task's project and domain.
        limits: limits of the task's project and domain.
        out_of_memory: number of consecutive attempts before this one that ran out of memory.
    """
    notes: list[str] = []
    requests_: Json = {}
    limits_: Json = {}
    stated = settings.resources
    for name, kubernetes_name in _NAMES.items():
        request, limit = getattr(stated.requests, name), getattr(stated.limits, name)
        if request is None and limit is None:
            request = limit = getattr(defaults, name)
        request, limit = request or limit, limit or request
        if request is None or limit is None:
            continue
        if name == "memory" and out_of_memory:
            request, limit = _more(request, policy.memory, out_of_memory), _more(limit, policy.memory, out_of_memory)
        most = getattr(limits, name)
        for kind, value in (("request", request), ("limit", limit)):
            if most is not None and amount(value) > amount(most):
                notes.append(f"{name} {kind} {value} is cut to the platform's limit {most}")
        requests_[kubernetes_name] = _at_most(_at_most(request, limit), most)
        limits_[kubernetes_name] = _at_most(limit, most)
    gpus = stated.limits.gpu or stated.requests.gpu
    if gpus is None and settings.accelerator is not None:
        gpus = "1"
    if gpus is not None and amount(gpus):
        if limits.gpu is not None and amount(gpus) > amount(limits.gpu):
            notes.append(f"gpu {gpus} is cut to the platform's limit {limits.gpu}")
        device = gpu_resource(settings.accelerator, policy.accelerators)
        requests_[device] = limits_[device] = _at_most(gpus, limits.gpu)
    return Granted({"requests": requests_, "limits": limits_}, notes, limits_.get("memory"))


def gpu_resource(accelerator: AcceleratorSpec | None, known: Accelerators) -> str:
    """Return the name of the extended resource for the device."""
    return known.resource if accelerator is None else known.resources.get(accelerator.device, known.resource)


def _at_most(value: str, most: str | None) -> str:
    return most if most is not None and amount(value) > amount(most) else value


def _more(value: str, policy: Memory, times: int) -> str:
    factor = Decimal(str(policy.factor)) ** times
    if factor == 1:
        return value
    more = str(int(amount(value) * factor))
    if policy.limit is None:
        return more
    return value if amount(value) > amount(policy.limit) else _at_most(more, policy.limit)


# -------------------------------------------------------------------------------------- accelerators


def accelerator_terms(accelerator: AcceleratorSpec, known: Accelerators) -> list[Json]:
    """Return the labels that a node must have, as match expressions of a node affinity."""
    device = known.devices.get(accelerator.device, accelerator.device)
    terms: list[Json] = [{"key": known.device_label, "operator": "In", "values": [device]}]
    if accelerator.partition_size is not None:
        terms.append({"key": known.partition_label, "operator": "In", "values": [accelerator.partition_size]})
    elif accelerator.unpartitioned:
        terms.append({"key": known.partition_label, "operator": "DoesNotExist"})
    return terms


def accelerator_tolerations(accelerator: AcceleratorSpec | None, known: Accelerators) -> list[Json]:
    """Return the tolerations for nodes with GPUs and with this device."""
    found = [dict(toleration) for toleration in known.tolerations]
    if accelerator is not None:
        device = known.devices.get(accelerator.device, accelerator.device)
        found.append({"key": known.device_label, "operator": "Equal", "value": device, "effect": "NoSchedule"})
        if accelerator.partition_size is not None:
            partition = accelerator.partition_size
            found.append({"key": known.partition_label, "operator": "Equal", "value": partition, "effect": "NoSchedule"})
    return found
