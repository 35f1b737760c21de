"""Programs and spec files with containers' commands, from their files to their documents."""

from __future__ import annotations

from pathlib import Path

import pytest

from flytemp.authoring.container import ContainerTask
from flytemp.compiler.discover import load_program
from flytemp.compiler.documents import compile_program
from flytemp.compiler.yaml.files import compile_sources, load_sources
from flytemp.errors import ProgramError
from flytemp.runtime.execute import execute
from flytemp.runtime.invocation import Invocation
from flytemp.spec.models import BundleRef, ContainerSpec, Interface, TaskDocument, TaskSpec, WorkflowDocument
from flytemp.store import open_store
from tests.messages.golden import Case, check_golden, unlocated

BUNDLE = BundleRef(digest="0" * 64, size=1)
PROGRAM = """
from flytemp import ContainerTask, kwtypes, workflow

area = ContainerTask(
    name="geometry.area",
    image="debian:12-slim",
    command=["area", "{{.inputs.width}}"],
    inputs=kwtypes(width=int),
    outputs=kwtypes(area=int),
)

@workflow
def wf(width: int) -> int:
    return area(width=width)
"""
FILE = """
kind: workflow
name: geometry.wf
interface: {inputs: {width: int}, outputs: {result: int}}
tasks:
  geometry.area:
    interface: {inputs: {width: int}, outputs: {area: int}}
    container:
      image: debian:12-slim
      command: [area, "{{.inputs.width}}"]
nodes:
  - target: geometry.area
    kind: task
    inputs: {width: $inputs.width}
outputs: {result: $n0.area}
"""


def _written(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text)
    return file


def test_program_with_a_container_task_compiles(tmp_path: Path) -> None:
    program = load_program([_written(tmp_path, "geometry.py", PROGRAM)])
    assert isinstance(program.tasks["geometry.area"], ContainerTask)
    documents = {(document.kind, document.name): document for document in compile_program(program, BUNDLE)}
    task = documents["task", "geometry.area"]
    workflow = documents["workflow", "geometry.wf"]
    assert isinstance(task, TaskDocument)
    assert isinstance(workflow, WorkflowDocument)
    assert task.task.kind == "container"
    assert task.task == workflow.tasks["geometry.area"]
    assert task.task.location is not None
    assert (task.task.location.file, task.task.location.line) == ("geometry.py", 4)


def test_two_container_tasks_of_one_name_are_refused(tmp_path: Path) -> None:
    again = PROGRAM + "\nother = ContainerTask(name='geometry.area', image='i', command=[])\n"
    program = load_program([_written(tmp_path, "geometry.py", again)])
    with pytest.raises(ProgramError, match=r"'geometry\.area'"):
        compile_program(program, BUNDLE)


def test_spec_file_gives_the_same_container_task_as_python(tmp_path: Path) -> None:
    written = compile_sources(load_sources([_written(tmp_path, "geometry.yaml", FILE)]), BUNDLE)
    (task,) = (document for document in written if isinstance(document, TaskDocument))
    program = load_program([_written(tmp_path, "geometry.py", PROGRAM)])
    compiled = compile_program(program, BUNDLE)
    (other,) = (document for document in compiled if isinstance(document, TaskDocument))
    ours, theirs = (each.task.model_copy(update={"location": None}) for each in (task, other))
    assert ours == theirs


def test_problems_of_container_tasks_in_spec_files(tmp_path: Path) -> None:
    changes = {
        "unknown input": ("{{.inputs.width}}", "{{.inputs.height}}"),
        "no image": ("image: debian:12-slim", "image: ''"),
        "unknown key": ("command: [area", "entrypoint: [area"),
        "a loader": ("    container:\n", "    loader: m:f\n    container:\n"),
    }

    def changed(name: str, old: str, new: str) -> Case:
        assert old in FILE
        file = _written(tmp_path, f"{name}.yaml", FILE.replace(old, new))
        return unlocated(lambda: compile_sources(load_sources([file]), BUNDLE), ProgramError)

    check_golden("container-files", {name: changed(name, *change) for name, change in changes.items()})


def test_container_task_cannot_run_in_a_process(tmp_path: Path) -> None:
    spec = TaskSpec(kind="container", name="c", interface=Interface(), container=ContainerSpec(image="i"))
    invocation = Invocation(
        store=str(tmp_path), execution_root="executions/default/e/r", node="n0", attempt=1, try_=1, task=spec, bundle=None,
        inputs={}, raw_data_prefix=str(tmp_path), project="p", domain="d", execution="e", workflow="w", version="v",
        started_at="2026-01-31T12:00:00Z",
    )  # fmt: skip
    result = execute(invocation, open_store(str(tmp_path)), owner="test")
    assert result is not None
    assert result.error is not None
    assert (result.error.code, result.error.kind) == ("NotSupported", "USER")
