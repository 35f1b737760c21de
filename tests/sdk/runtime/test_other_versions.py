"""Documents of a worker and a runtime of different versions, with a wheel of a runtime that lacks the newest fields."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

import flytemp
from flytemp.literals.types import SimpleType
from flytemp.runtime.commit import read_claim, read_result
from flytemp.runtime.execute import ExecutionOptions, execute
from flytemp.runtime.invocation import PROTOCOL_VERSION, Claim, Invocation, RuntimeModel, TaskError, TaskResult
from flytemp.spec.models import Interface, Variable
from flytemp_activities.kubernetes.classify import termination_of
from tests.sdk.runtime.project import Project

WHEEL = Path(__file__).resolve().parents[2] / "fixtures/wheels/flytemp-0.1.0-py3-none-any.whl"
PROGRAM = """
from flytemp import task

@task
def add(x: int) -> int:
    return x + 1

@task
def refuse(x: int) -> int:
    raise ValueError("no")
"""
INTEGER = SimpleType(kind="integer")
INTERFACE = Interface(inputs=(Variable(name="x", type=INTEGER),), outputs=(Variable(name="o0", type=INTEGER),))
ERROR = TaskError(kind="USER", code="ValueError", message="no")
DOCUMENTS = (
    TaskResult(status="failed", error=ERROR, runtime_version="9.9"),
    ERROR,
    Claim(owner="me", host="here", pid=1),
)


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked wheel."""
    folder = tmp_path_factory.mktemp("old")
    with zipfile.ZipFile(WHEEL) as wheel:
        wheel.extractall(folder)
    return folder


def run_old(old: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python with the runtime of the wheel."""
    return subprocess.run(
        [sys.executable, "-P", *arguments],
        env={**os.environ, "PYTHONPATH": str(old), **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def invocation(project: Project, task: str = "add", **changes: Any) -> Invocation:
    """An invocation of the current version, with a value in every field that the wheel lacks."""
    project.write(PROGRAM)
    made = project.invocation(task, {"x": 1}, worker_version="9.9", **changes)
    spec = made.task.model_copy(update={"interface": INTERFACE, "config": {"later": True}})
    return made.model_copy(update={"task": spec})


def run_pod(old: Path, made: Invocation) -> subprocess.CompletedProcess[str]:
    """Run the main program of a task's container, as a pod with an older image does."""
    encoded = base64.b64encode(zlib.compress(made.model_dump_json().encode())).decode()
    return run_old(
        old, "-m", "flytemp.runtime.pod", FLYTEMP_INVOCATION=encoded, FLYTEMP_STORE=made.store,
        FLYTEMP_PROTOCOL=str(PROTOCOL_VERSION), FLYTEMP_POD_UID="uid-1",
    )  # fmt: skip


def test_wheel_lacks_the_newest_fields(old: Path) -> None:
    code = """
import flytemp
from flytemp.runtime.invocation import Invocation, TaskResult
from flytemp.spec.models import TaskSpec
print(flytemp.__file__, *Invocation.model_fields, *TaskResult.model_fields, *TaskSpec.model_fields)
"""
    file, *fields = run_old(old, "-c", code).stdout.split()

    assert Path(file).is_relative_to(old)
    assert not {"worker_version", "runtime_version", "config"} & set(fields)


def test_older_runtime_runs_the_invocation_of_a_newer_worker(old: Path, project: Project) -> None:
    made = invocation(project)

    done = run_pod(old, made)

    assert done.returncode == 0, done.stderr
    result = read_result(project.store, made)
    assert result is not None
    assert (result.status, result.outputs, result.runtime_version) == ("succeeded", {"o0": 2}, "")
    claim = read_claim(project.store, made)
    assert claim is not None
    assert claim.owner == "uid-1"


def test_newer_worker_reads_the_failure_of_an_older_runtime(old: Path, project: Project) -> None:
    made = invocation(project, "refuse")

    assert run_pod(old, made).returncode == 1
    result = read_result(project.store, made)
    assert result is not None
    assert result.error is not None
    assert (result.status, result.error.kind, result.error.code) == ("failed", "USER", "ValueError")


def test_newer_runtime_runs_the_invocation_of_an_older_worker(old: Path, project: Project, options: ExecutionOptions) -> None:
    code = """
import sys
from flytemp.runtime.invocation import Invocation
print(Invocation.read(sys.argv[1]).model_dump_json())
"""
    older = json.loads(run_old(old, "-c", code, invocation(project).model_dump_json()).stdout)

    assert "worker_version" not in older
    result = execute(Invocation.read(older), project.store, owner="me", options=options)
    assert result is not None
    assert (result.outputs, result.runtime_version) == ({"o0": 2}, flytemp.__version__)


def test_older_worker_reads_the_result_of_a_newer_runtime(old: Path) -> None:
    code = """
import sys
from flytemp.runtime.invocation import TaskResult
result = TaskResult.read(sys.argv[1])
print(result.status, result.error.code)
"""
    newer = TaskResult(status="failed", error=ERROR, runtime_version="9.9").model_dump_json()

    assert run_old(old, "-c", code, newer).stdout.split() == ["failed", "ValueError"]


def test_newer_worker_reads_the_termination_message_of_another_runtime() -> None:
    message = json.dumps({"flytemp": {**TaskError.of("Claimed", "taken").model_dump(), "later": 1}})
    state = {"terminated": {"exitCode": 70, "message": message}}
    pod = {"metadata": {}, "spec": {}, "status": {"containerStatuses": [{"name": "primary", "state": state}]}}

    assert termination_of(pod, "primary").error == TaskError.of("Claimed", "taken")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: type(document).__name__)
def test_unknown_field_is_ignored_when_read_and_refused_when_written(document: RuntimeModel) -> None:
    with_more = {**document.model_dump(), "later": [1]}

    assert type(document).read(with_more) == document
    assert type(document).read(json.dumps(with_more)) == document
    assert type(document).read(json.dumps(with_more).encode()) == document
    with pytest.raises(ValidationError):
        type(document)(**with_more)


def test_unknown_field_inside_an_invocation_is_ignored_when_read(project: Project) -> None:
    made = invocation(project)
    document = made.model_dump(mode="json")
    document["task"]["settings"]["later"] = 1
    document["task"]["interface"]["inputs"][0]["type"]["later"] = 1
    document["bundle"]["later"] = 1

    assert Invocation.read(json.dumps(document)) == made


@pytest.mark.parametrize("document", [b"{}", b"[]", b"no JSON", {"status": "other"}])
def test_invalid_document_is_refused(document: Any) -> None:
    with pytest.raises(ValidationError):
        TaskResult.read(document)
