"""Programs and spec files with containers' commands, from their files to their documents."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from flytemp.authoring.container import ContainerTask
from flytemp.compiler.discover import load_program
from flytemp.compiler.documents import compile_program
from flytemp.compiler.yaml.files import compile_sources, load_sources
from flytemp.errors import NotSupported, ProgramError
from flytemp.spec.models import BundleRef, TaskDocument, WorkflowDocument
from flytemp.task_types import task_type

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


def test_a_program_with_one(tmp_path: Path) -> None:
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


def test_two_of_one_name(tmp_path: Path) -> None:
    again = PROGRAM + "\nother = ContainerTask(name='geometry.area', image='i', command=[])\n"
    program = load_program([_written(tmp_path, "geometry.py", again)])
    with pytest.raises(ProgramError, match=r"two entities are named 'geometry\.area'"):
        compile_program(program, BUNDLE)


def test_a_spec_file_with_one_is_the_program(tmp_path: Path) -> None:
    written = compile_sources(load_sources([_written(tmp_path, "geometry.yaml", FILE)]), BUNDLE)
    (task,) = (document for document in written if isinstance(document, TaskDocument))
    program = load_program([_written(tmp_path, "geometry.py", PROGRAM)])
    compiled = compile_program(program, BUNDLE)
    (other,) = (document for document in compiled if isinstance(document, TaskDocument))
    ours, theirs = (each.task.model_copy(update={"location": None}) for each in (task, other))
    assert ours == theirs


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("{{.inputs.width}}", "{{.inputs.height}}", "names the input 'height'"),
        ("image: debian:12-slim", "image: ''", "no image"),
        ("command: [area", "entrypoint: [area", "there is no key 'entrypoint'"),
        ("    container:\n", "    loader: m:f\n    container:\n", "has the loader 'm:f'"),
    ],
)
def test_what_is_wrong_in_a_spec_file(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in FILE
    with pytest.raises(ProgramError, match=message):
        compile_sources(load_sources([_written(tmp_path, "geometry.yaml", FILE.replace(old, new))]), BUNDLE)


def test_a_container_task_cannot_run_in_a_process() -> None:
    run: Any = SimpleNamespace(spec=ContainerTask("geometry.area", image="debian:12-slim", command=["area"]).spec())
    with pytest.raises(NotSupported) as caught:
        task_type("container").prepare(run)
    assert "kubernetes" in (caught.value.hint or "")
