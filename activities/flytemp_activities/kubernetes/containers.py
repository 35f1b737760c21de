"""The pod of a container task: its own image with its own command, and flytemp's programs beside it where data moves."""

from __future__ import annotations

from typing import Any

from flytemp.errors import ConfigError, InputError
from flytemp.layout import RootLayout
from flytemp.runtime.commit import commit_result, now, read_result
from flytemp.runtime.container import ENDED, INPUTS, OUTPUTS
from flytemp.runtime.container_io import substitute
from flytemp.runtime.invocation import Invocation, TaskResult
from flytemp.spec.models import ContainerSpec
from flytemp.store.object_store import ObjectStore

Json = dict[str, Any]

FETCH, COLLECT = "flytemp-fetch", "flytemp-collect"
PROGRAM = ("python3", "-P", "-m", "flytemp.runtime.container")

_RESOURCES = {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"cpu": "1", "memory": "512Mi"}}


def collects(invocation: Invocation) -> bool:
    """Whether a sidecar takes outputs away, for which the worker waits."""
    return invocation.task.kind == "container" and bool(invocation.task.interface.outputs)


def commit_container(store: ObjectStore, invocation: Invocation) -> TaskResult | None:
    """The result of a container task whose exit code is 0: what was collected counts now, unless another result stands already.
    Without outputs there is nothing to collect. None: it was not collected.

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
    """Whether a program of flytemp's runs in the pod: always, but for a container task without inputs and outputs."""
    task = invocation.task
    return task.kind != "container" or bool(task.interface.inputs or task.interface.outputs)


def own_command(invocation: Invocation, literals: dict[str, Any]) -> Json:
    """Command and arguments of the task's container. An empty command is the image's.

    Raises:
        InputError: a template names what is no text; or several calls were to share one container.
    """
    spec, interface = _spec(invocation), invocation.task.interface
    if invocation.items is not None:
        raise InputError("a container task cannot be mapped with items_per_task", hint="leave items_per_task out")
    given = {name: _unexpanded(value) for name, value in literals.items()}
    texts = {"command": substitute(spec.command, given, interface), "args": substitute(spec.arguments, given, interface)}
    return {name: value for name, value in texts.items() if value}


def _unexpanded(literal: Any) -> Any:
    """Kubernetes puts a variable's value where a command says ``$(NAME)``: not in what an input says."""
    if isinstance(literal, str):
        return literal.replace("$(", "$$(")
    if isinstance(literal, list):
        return [_unexpanded(item) for item in literal]
    if isinstance(literal, dict):
        return {key: _unexpanded(value) for key, value in literal.items()}
    return literal


def beside(invocation: Invocation, image: str | None, variables: list[Json], environment_from: list[Json]) -> Json:
    """What a pod spec has beside the task's container: nothing, where no data moves.

    Raises:
        ConfigError: no image is known that has flytemp in it.
    """
    spec, interface = _spec(invocation), invocation.task.interface
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
        # TERM alone might come before the program hears it, and the first process of a container ignores what it does not hear.
        hook = {"preStop": {"exec": {"command": ["touch", ENDED]}}}
        programs.append({**program(COLLECT, "collect"), "restartPolicy": "Always", "lifecycle": hook})
    return {
        "initContainers": programs,
        "volumes": [{"name": mount["name"], "emptyDir": {}} for mount in mounts],
        "mounts": mounts,
    }


def is_collecting(pod: Json) -> bool:
    """Whether the sidecar is not done yet."""
    statuses = (pod.get("status") or {}).get("initContainerStatuses") or ()
    state = next(((status.get("state") or {}) for status in statuses if status["name"] == COLLECT), {})
    return "terminated" not in state and (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")


def _spec(invocation: Invocation) -> ContainerSpec:
    assert invocation.task.container is not None
    return invocation.task.container
