"""Shared objects of a worker's tries, and the preparation of a pod."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

from flytemp.errors import FlytempError, InputError
from flytemp.layout import RootLayout
from flytemp.runtime.commit import read_result
from flytemp.runtime.inputs import resolve_inputs
from flytemp.runtime.invocation import Invocation
from flytemp.store.object_store import ObjectStore
from flytemp_activities.kubernetes.cleanup import Cleanup
from flytemp_activities.kubernetes.containers import container_of, needs_runtime
from flytemp_activities.kubernetes.creation import Creations
from flytemp_activities.kubernetes.manifest import (
    INVOCATION_BYTES,
    ManifestInputs,
    PodManifest,
    build_manifest,
    encode_invocation,
)
from flytemp_activities.kubernetes.pods import Pod, Pods, Templates
from flytemp_activities.kubernetes.policy import Policy
from flytemp_activities.kubernetes.watch import PodWatch
from flytemp_activities.result_lookup import ResultLookup

logger = logging.getLogger("flytemp.kubernetes")


@dataclass(frozen=True, slots=True)
class KubernetesContext:
    """Shared objects of the tries of a worker. ``namespace`` is the namespace of the connection."""

    store: ObjectStore
    pods: Pods
    watch: PodWatch
    templates: Templates
    policy: Policy
    cleanup: Cleanup
    creations: Creations
    namespace: str
    task_queue: str
    lookup: ResultLookup | None = None


async def prepare(context: KubernetesContext, invocation: Invocation) -> PodManifest:
    """Return the pod to create.

    Raises:
        InputError: the task requests a pod that cannot exist.
        NotFound: the type of the task is not installed here.
        ConfigError: the configuration of the platform is not complete.
        ApiError: a named template cannot be read.
        StoreError: the store cannot be used.
    """
    effective = context.policy.effective(invocation.project, invocation.domain)
    namespace = effective.namespace or context.namespace
    encoded, stored = await _written(context, invocation)
    inputs = ManifestInputs(
        policy=context.policy,
        namespace=namespace,
        task_queue=context.task_queue,
        template=await _template(context, namespace, invocation.task.settings.pod_template_name, effective.pod_template_name),
        out_of_memory=await _out_of_memory(context, invocation),
        encoded=encoded,
        stored=stored,
        literals=await _literals(context, invocation),
    )
    try:
        return build_manifest(invocation, inputs)
    except FlytempError:
        raise
    except Exception as error:  # settings that no check foresaw; every further try would meet the same error
        logger.exception("the pod of node %s cannot be made", invocation.node)
        raise InputError(f"no pod can be made from the settings of the task: {type(error).__name__}: {error}") from error


async def _template(context: KubernetesContext, namespace: str, wanted: str | None, default: str | None) -> Pod | None:
    name = wanted or default
    template = await context.templates.get(namespace, name) if name is not None else None
    if wanted is not None and template is None:
        raise InputError(f"there is no PodTemplate {wanted!r} in the namespace {namespace}", hint="kubectl get podtemplates")
    return template


async def _out_of_memory(context: KubernetesContext, invocation: Invocation) -> int:
    """Return the number of consecutive attempts before this one that ran out of memory."""
    count = 0
    if context.policy.memory.factor > 1:
        for attempt in range(invocation.attempt - 1, 0, -1):
            before = invocation.model_copy(update={"attempt": attempt})
            result = await asyncio.to_thread(read_result, context.store, before)
            if result is None or result.error is None or result.error.code != "OutOfMemory":
                break
            count += 1
    return count


async def _written(context: KubernetesContext, invocation: Invocation) -> tuple[str | None, str | None]:
    """Return the invocation as the text of a variable, or the key under which it was stored if it is too long."""
    if not needs_runtime(invocation):
        return None, None
    text = encode_invocation(invocation)
    if len(text) <= INVOCATION_BYTES:
        return text, None
    key = RootLayout(invocation.execution_root).invocation(invocation.node, invocation.attempt_key, invocation.try_)
    await asyncio.to_thread(context.store.write, key, invocation.model_dump_json().encode())
    return None, key


async def _literals(context: KubernetesContext, invocation: Invocation) -> dict[str, Any]:
    """Return the inputs of a task whose command may contain them."""
    if not invocation.inputs or container_of(invocation.task) is None:
        return {}
    return await asyncio.to_thread(resolve_inputs, invocation.inputs, context.store, invocation.execution_root)
