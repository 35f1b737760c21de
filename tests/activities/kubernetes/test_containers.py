"""Container tasks: any image, with files for its inputs and outputs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flytemp.literals.types import BlobType, SimpleType
from flytemp.runtime.invocation import Invocation
from flytemp.spec.models import ContainerSpec, Interface, TaskSpec, Variable
from flytemp.store import open_store
from flytemp.store.object_store import ObjectStore
from infra.testcluster import KubernetesAccess
from tests.activities.kubernetes.conftest import StartBackend
from tests.activities.kubernetes.test_backend import claims, pods, until_no_pods
from tests.sdk.runtime.project import Project

pytestmark = pytest.mark.kubernetes

TEXT, NUMBER, FILE = SimpleType(kind="string"), SimpleType(kind="integer"), BlobType(kind="file")


def invocation(
    project: Project, image: str, script: str, outputs: dict[str, Any] | None = None, *arguments: str, **inputs: tuple[Any, Any]
) -> Invocation:
    """Return a shell script as a container task; ``inputs`` are (type, literal)."""
    interface = Interface(
        inputs=tuple(Variable(name=name, type=kind) for name, (kind, _) in inputs.items()),
        outputs=tuple(Variable(name=name, type=kind) for name, kind in (outputs or {}).items()),
    )
    container = ContainerSpec(image=image, command=("sh", "-ec", script, "sh"), arguments=arguments)
    task = TaskSpec(kind="container", name="shell", interface=interface, loader="", container=container)
    project.write("")
    given = {name: literal for name, (_, literal) in inputs.items()}
    return project.invocation("shell", given).model_copy(update={"task": task})


async def test_command_without_outputs_succeeds_by_its_exit_code(
    start_backend: StartBackend, project: Project, cluster: KubernetesAccess, namespace: str, task_image: str
) -> None:
    bench = await start_backend(image=None)  # nothing of flytemp is in the pod
    run = invocation(project, task_image, "echo hello")
    result = await bench.run(run)
    assert (result.status, result.outputs) == ("succeeded", {})
    assert (await bench.run(run, resumed=True)).status == "succeeded"
    await until_no_pods(cluster, namespace)


async def test_inputs_and_outputs_of_a_command_are_files(
    start_backend: StartBackend, project: Project, store: ObjectStore, cluster: KubernetesAccess, namespace: str, task_image: str
) -> None:
    store.write("uploads/in.txt", b"from a file")
    source = {"uri": store.uri_of("uploads/in.txt"), "format": ""}
    script = """
        cat /var/inputs/source > /var/outputs/copied
        echo "$(cat /var/inputs/words), $1" > /var/outputs/said
        expr $(cat /var/inputs/count) + 1 > /var/outputs/more
    """
    run = invocation(
        project, task_image, script, {"said": TEXT, "more": NUMBER, "copied": FILE}, "{{.inputs.words}}",
        words=(TEXT, "$(HOME)"), count=(NUMBER, 5), source=(FILE, source),
    )  # fmt: skip
    result = await (await start_backend()).run(run)
    assert result.outputs is not None, result.error
    assert (result.outputs["said"], result.outputs["more"]) == ("$(HOME), $(HOME)", 6)
    folder, _, name = result.outputs["copied"]["uri"].rpartition("/")
    assert open_store(folder).read(name) == b"from a file"
    assert len(claims(store, run)) == 1
    await until_no_pods(cluster, namespace)


async def test_outputs_of_a_failed_command_do_not_count(start_backend: StartBackend, project: Project, task_image: str) -> None:
    run = invocation(project, task_image, "echo 1 > /var/outputs/more; echo broken >&2; exit 4", {"more": NUMBER})
    result = await (await start_backend()).run(run)
    assert result.error is not None
    assert (result.status, result.error.kind, result.error.code) == ("failed", "USER", "Exited")
    assert "exit code 4: broken" in result.error.message


async def test_missing_output_of_a_command_fails(start_backend: StartBackend, project: Project, task_image: str) -> None:
    result = await (await start_backend()).run(invocation(project, task_image, "true", {"more": NUMBER}))
    assert result.error is not None
    assert (result.error.kind, result.error.retryable) == ("USER", False), result.error
    assert "'more'" in result.error.message


async def test_pod_without_data_has_no_variables_of_the_store(
    start_backend: StartBackend, project: Project, cluster: KubernetesAccess, namespace: str, task_image: str
) -> None:
    bench = await start_backend(image=None, environment={}, keep_pods="always")
    await bench.run(invocation(project, task_image, "true"))
    (pod,) = pods(cluster, namespace)
    (container,) = pod["spec"]["containers"]
    assert "initContainers" not in pod["spec"]
    assert "FLYTEMP" not in json.dumps(container)
