"""Pods of tasks whose type runs them as a container's command: the command, and flytemp's programs that transfer data."""

from __future__ import annotations

from typing import Any

from flytemp.errors import ConfigError, InputError
from flytemp.layout import RootLayout
from flytemp.runtime.commit import commit_result, now, read_result
from flytemp.runtime.container import ENDED, INPUTS, OUTPUTS
from flytemp.runtime.container_io import substitute
from flytemp.runtime.invocation import Invocation, TaskResult
from flytemp.spec.models import ContainerSpec, TaskSpec
from flytemp.store.object_store import ObjectStore
from flytemp.task_types import task_type

Json = dict[str, Any]

FETCH, COLLECT = "flytemp-fetch", "flytemp-collect"
PROGRAM = ("python3", "-P", "-m", "flytemp.runtime.container")

_RESOURCES = {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"cpu": "1", "memory": "512Mi"}}


def container_of(task: TaskSpec) -> ContainerSpec | None:
    """Return the command of the task; None if flytemp's runtime runs the task.

    Raises:
        NotFound: the type of the task is not installed here.
    """
    return task_type(task.kind).container(task)


def collects(invocation: Invocation) -> bool:
    """Return whether a sidecar of the pod collects outputs, for which the worker waits."""
    return bool(invocation.task.interface.outputs) and container_of(invocation.task) is not None


def commit_container(store: ObjectStore, invocation: Invocation) -> TaskResult | None:
    """Commit the collected outputs of a command whose exit code is 0; return the result that counts.

    Returns:
        None if the task has outputs and they were not collected.

    Raises:
        StoreError: the store could not be used.
    """
    if not collects(invocation):
        success = TaskResult(status="succeeded", outputs={}, try_=invocation.try_, finished_at=now())
        return commit_result(store, invocation, success)
    key = RootLayout(invocation.execution_root).collected(invocation.node, invocation.attempt_key, invocation.try_)
    data = store.read_or_none(key)
    if data is None:
        return read_result(store, invocation)
    return commit_result(store, invocation, TaskResult.read(data))


def needs_runtime(invocation: Invocation) -> bool:
    """Return whether a program of flytemp runs in the pod. A command without inputs and outputs needs none."""
    task = invocation.task
    return bool(task.interface.inputs or task.interface.outputs) or container_of(task) is None


def own_command(invocation: Invocation, spec: ContainerSpec, literals: dict[str, Any]) -> Json:
    """Return ``command`` and ``args`` of the task's container, without those that are empty and so the image's own.

    Raises:
        InputError: a template names an input that is not text, or several calls would share one container.
    """
    interface = invocation.task.interface
    if invocation.items is not None:
        raise InputError("a container task cannot be mapped with items_per_task", hint="leave items_per_task out")
    given = {name: _unexpanded(value) for name, value in literals.items()}
    texts = {"command": substitute(spec.command, given, interface), "args": substitute(spec.arguments, given, interface)}
    return {name: value for name, value in texts.items() if value}


def _unexpanded(literal: Any) -> Any:
    """Escape ``$(NAME)`` in an input, which Kubernetes would replace by the value of a variable."""
    if isinstance(literal, str):
        return literal.replace("$(", "$$(")
    if isinstance(literal, list):
        return [_unexpanded(item) for item in literal]
    if isinstance(literal, dict):
        return {key: _unexpanded(value) for key, value in literal.items()}
    return literal


def sidecars(
    invocation: Invocation, spec: ContainerSpec, image: str | None, variables: list[Json], environment_from: list[Json]
) -> Json:
    """Return the parts of the pod spec that transfer data: init containers, volumes and the mounts of the task's container.

    Raises:
        ConfigError: no image with flytemp is configured.
    """
    interface = invocation.task.interface
    if not needs_runtime(invocation):
        return {}
    if image is None:
        hint = "set kubernetes.image (FLYTEMP_KUBERNETES_IMAGE) to an image that has flytemp in it"
        raise ConfigError("a container task with inputs or outputs needs a default image", hint=hint)
    mounts = [
        {"name": "flytemp-inputs", "mountPath": spec.input_data_dir},
        {"name": "flytemp-outputs", "mountPath": spec.output_data_dir},
    ]
    folders = [{"name": INPUTS, "value": spec.input_data_dir}, {"name": OUTPUTS, "value": spec.output_data_dir}]

    def program(name: str, verb: str) -> Json:
        return {
            "name": name, "image": image, "command": [*PROGRAM, verb], "env": [*variables, *folders],
            "envFrom": environment_from, "volumeMounts": mounts, "resources": _RESOURCES,
            "terminationMessagePolicy": "FallbackToLogsOnError",
        }  # fmt: skip

    programs = [program(FETCH, "fetch")]
    if interface.outputs:
        # TERM alone could arrive before the program has a handler, and the first process of a container ignores it then.
        hook = {"preStop": {"exec": {"command": ["touch", ENDED]}}}
        programs.append({**program(COLLECT, "collect"), "restartPolicy": "Always", "lifecycle": hook})
    return {
        "initContainers": programs,
        "volumes": [{"name": mount["name"], "emptyDir": {}} for mount in mounts],
        "mounts": mounts,
    }


def is_collecting(pod: Json) -> bool:
    """Return whether the sidecar still collects outputs."""
    statuses = (pod.get("status") or {}).get("initContainerStatuses") or ()
    state = next(((status.get("state") or {}) for status in statuses if status["name"] == COLLECT), {})
    return "terminated" not in state and (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")
