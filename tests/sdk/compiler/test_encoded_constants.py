"""Encoded values as defaults and constants: their documents do not depend on the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from flytemp.compiler import Program, compile_program, load_program
from flytemp.compiler.documents import content_version
from flytemp.errors import ProgramError
from flytemp.spec.models import LaunchPlanDocument, TaskDocument, WorkflowDocument

PROGRAM = """
from flytemp import LaunchPlan, dynamic, task, workflow
from flytemp.extend import EncodedType, TypeEngine, TypeTransformer

class Blob:
    def __init__(self, size):
        self.size = size

class BlobTransformer(TypeTransformer):
    def get_literal_type(self, t):
        return EncodedType(format="blob")

    def to_literal(self, ctx, python_val, python_type, expected):
        return ctx.put_bytes(bytes(python_val.size), expected)

    def to_python_value(self, ctx, lv, expected_python_type):
        return expected_python_type(len(ctx.get_bytes(lv)))

TypeEngine.register(BlobTransformer("blob", Blob))

@task
def size(blobs: list[Blob]) -> int:
    return sum(blob.size for blob in blobs)

@task
def create(number: int) -> list[Blob]:
    return [Blob(1_000_000) for _ in range(number)]

@task
def default(blob: Blob = Blob(SIZE)) -> int:
    return blob.size

@workflow
def constant(blob: Blob = Blob(SIZE)) -> int:
    return size(blobs=[blob, Blob(SIZE)])

@workflow
def large(number: int) -> int:
    return size(blobs=create(number=number))

@dynamic
def large_constant() -> int:
    return size(blobs=[Blob(3_000_000)])

plan = LaunchPlan.get_or_create(constant, "plan_of_SIZE", fixed_inputs={"blob": Blob(SIZE)})
"""

SIZE = 300_000


def load(folder: Path, program: str = PROGRAM) -> Program:
    (folder / "encoded.py").write_text(program.replace("SIZE", str(SIZE)))
    return load_program([folder / "encoded.py"])


def test_repeated_compilation_gives_the_same_version(tmp_path: Path) -> None:
    first, second = (compile_program(load(tmp_path), None) for _ in range(2))
    assert content_version(first) == content_version(second)


def test_default_constant_and_fixed_input_contain_their_data(tmp_path: Path) -> None:
    documents = {(type(each), each.name): each for each in compile_program(load(tmp_path), None)}
    task = documents[TaskDocument, "encoded.default"]
    workflow = documents[WorkflowDocument, "encoded.constant"]
    plan = documents[LaunchPlanDocument, f"plan_of_{SIZE}"]
    assert isinstance(task, TaskDocument)
    assert isinstance(workflow, WorkflowDocument)
    assert isinstance(plan, LaunchPlanDocument)
    constants = workflow.model_dump_json()
    assert task.task.interface.inputs[0].default.keys() == {"format", "bytes"}
    assert plan.launch_plan.fixed_inputs["blob"].keys() == {"format", "bytes"}
    assert '"uri"' not in constants
    assert constants.count('"bytes":') >= 2


@pytest.mark.parametrize("part", ["def default(blob: Blob = Blob(SIZE))", "[blob, Blob(SIZE)]", '{"blob": Blob(SIZE)}'])
def test_data_of_more_than_two_mebibytes_are_refused(tmp_path: Path, part: str) -> None:
    program = PROGRAM.replace(part, part.replace("SIZE", "2_000_000"))
    with pytest.raises(ProgramError) as caught:
        compile_program(load(tmp_path, program), None)
    assert ["2 MiB" in problem.message for problem in caught.value.problems] == [True]


def test_values_of_local_runs_may_be_larger(tmp_path: Path) -> None:
    program = load(tmp_path)
    assert program.workflows["encoded.large"](number=4) == 4_000_000
    assert program.tasks["encoded.large_constant"]() == 3_000_000
