"""What is to be known before a try's pod can be made."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from flytemp.errors import InputError
from flytemp.layout import RootLayout
from flytemp.runtime.commit import read_result
from flytemp.runtime.inputs import resolve_inputs
from flytemp.runtime.invocation import Invocation
from flytemp.store.object_store import ObjectStore
from flytemp_activities.kubernetes.cleanup import Cleanup
from flytemp_activities.kubernetes.containers import container_of, needs_runtime
from flytemp_activities.kubernetes.creation import Creations
from flytemp_activities.kubernetes.manifest import MOST_INVOCATION_BYTES, Built, ManifestInputs, build, encoded
from flytemp_activities.kubernetes.pods import Pod, Pods, Templates
from flytemp_activities.kubernetes.policy import Policy
from flytemp_activities.kubernetes.watch import PodWatch
from flytemp_activities.result_lookup import ResultLookup


@dataclass(frozen=True, slots=True)
class KubernetesContext:
    """What the tries of a worker share. ``namespace`` is the context's own."""

    store: ObjectStore
    pods: Pods
    watch: PodWatch
    templates: Templates
    policy: Policy
    tidying: Cleanup
    creations: Creations
    namespace: str
    task_queue: str
    lookup: ResultLookup | None = None


async def prepare(yard: KubernetesContext, invocation: Invocation) -> Built:
    """The pod to create.

    Raises:
        InputError: the task asks for what no pod can have.
        ConfigError: the platform lacks what every pod needs.
        ApiError: a named template could not be read.
        StoreError: the store could not be used.
    """
    place = yard.policy.place(invocation.project, invocation.domain)
    namespace = place.namespace or yard.namespace
    encoded, stored = await _written(yard, invocation)
    around = ManifestInputs(
        policy=yard.policy,
        namespace=namespace,
        task_queue=yard.task_queue,
        template=await _template(yard, namespace, invocation.task.settings.pod_template_name, place.pod_template_name),
        out_of_memory=await _out_of_memory(yard, invocation),
        encoded=encoded,
        stored=stored,
        literals=await _literals(yard, invocation),
    )
    return build(invocation, around)


async def _template(yard: KubernetesContext, namespace: str, wanted: str | None, default: str | None) -> Pod | None:
    name = wanted or default
    template = await yard.templates.get(namespace, name) if name is not None else None
    if wanted is not None and template is None:
        raise InputError(f"there is no PodTemplate {wanted!r} in the namespace {namespace}", hint="kubectl get podtemplates")
    return template


async def _out_of_memory(yard: KubernetesContext, invocation: Invocation) -> int:
    """How many attempts before this one, without a break, ran out of memory."""
    count = 0
    if yard.policy.memory.factor > 1:
        for attempt in range(invocation.attempt - 1, 0, -1):
            before = invocation.model_copy(update={"attempt": attempt})
            result = await asyncio.to_thread(read_result, yard.store, before)
            if result is None or result.error is None or result.error.code != "OutOfMemory":
                break
            count += 1
    return count


async def _written(yard: KubernetesContext, invocation: Invocation) -> tuple[str | None, str | None]:
    """The invocation as a variable's text, or where it was written if it is too long for that."""
    if not needs_runtime(invocation):
        return None, None
    text = encoded(invocation)
    if len(text) <= MOST_INVOCATION_BYTES:
        return text, None
    key = RootLayout(invocation.execution_root).invocation(invocation.node, invocation.attempt_key, invocation.try_)
    await asyncio.to_thread(yard.store.write, key, invocation.model_dump_json().encode())
    return None, key


async def _literals(yard: KubernetesContext, invocation: Invocation) -> dict[str, Any]:
    """The inputs of a container task, whose command may have them in it."""
    if not invocation.inputs or container_of(invocation.task) is None:
        return {}
    return await asyncio.to_thread(resolve_inputs, invocation.inputs, yard.store, invocation.execution_root)
