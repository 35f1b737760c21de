"""`ContainerTask`: what it accepts, how workflows call it, and what it says where no container runs."""

from __future__ import annotations

from typing import Any

import pytest

import flytemp.core.container_task
from flytemp import (
    ContainerTask,
    FlyteDirectory,
    FlyteFile,
    ImageSpec,
    Resources,
    Secret,
    TaskMetadata,
    dynamic,
    kwtypes,
    map_task,
    task,
    workflow,
)
from flytemp.compiler.assemble import compile_entity, task_document
from flytemp.compiler.validate import entity_problems
from flytemp.errors import InputError, NotSupported, ProgramError
from flytemp.spec.canonical import digest
from flytemp.spec.integrity import check_integrity
from flytemp.spec.models import ContainerSpec, WorkflowDocument
from flytemp.spec.plan import plan_of
from flytemp.spec.typecheck import document_problems
from flytemp.testing import task_mock
from tests.messages.golden import Case, check_golden, unlocated

area = ContainerTask(
    name="geometry.area",
    image="debian:12-slim",
    command=["/bin/sh", "-c", "echo $(( {{.inputs.width}} * $(cat /var/inputs/height) )) > /var/outputs/area"],
    inputs={"width": int, "height": int},
    outputs={"area": int},
)
described = ContainerTask(
    name="geometry.describe",
    image="registry/tools:1",
    command=["describe", "/var/inputs/shape"],
    arguments=["--verbose"],
    inputs=kwtypes(shape=FlyteFile, note=str | None),
    outputs=kwtypes(report=FlyteFile, pages=int),
    input_data_dir="/in",
    output_data_dir="/out",
    metadata_format=ContainerTask.MetadataFormat.YAML,
    io_strategy=ContainerTask.IOStrategy.UPLOAD_ON_EXIT,
    retries=2,
    timeout=60,
    resources=Resources(cpu="1"),
    environment={"A": "1"},
    secret_requests=[Secret("db", "password")],
    labels={"team": "x"},
)


@workflow
def both(shape: FlyteFile) -> tuple[int, FlyteFile]:
    first = area(width=2, height=3)
    second = described(shape=shape, note="n")
    third = area(width=first, height=second.pages)
    return third, second.report


@workflow
def many(widths: list[int]) -> list[int]:
    return map_task(area)(width=widths, height=[1, 2])


@task
def size(area: int) -> int:
    return area + 1


@workflow
def mixed(width: int) -> int:
    return size(area=area(width=width, height=10))


@dynamic
def chosen(width: int) -> int:
    return area(width=width, height=10)


def test_import_path_of_flytekit() -> None:
    assert flytemp.core.container_task.ContainerTask is ContainerTask


def test_spec_of_a_container_task() -> None:
    spec = described.spec()
    assert (spec.kind, spec.name, spec.loader) == ("container", "geometry.describe", "")
    assert spec.container == ContainerSpec(
        image="registry/tools:1",
        command=("describe", "/var/inputs/shape"),
        arguments=("--verbose",),
        input_data_dir="/in",
        output_data_dir="/out",
        metadata_format="yaml",
        io_strategy="upload_on_exit",
    )
    assert [variable.name for variable in spec.interface.inputs] == ["shape", "note"]
    assert [variable.name for variable in spec.interface.outputs] == ["report", "pages"]
    assert spec.settings.retries.count == 2
    assert spec.settings.timeout_seconds == 60
    assert spec.settings.environment == {"A": "1"}
    assert spec.settings.labels == {"team": "x"}
    assert spec.location is not None
    assert spec.location.file.endswith("test_container.py")


def test_workflow_calls_a_container_task() -> None:
    document = compile_entity(both)
    assert isinstance(document, WorkflowDocument)
    check_integrity(document)
    assert list(document_problems(document)) == []
    nodes = document.root.nodes
    assert [(node.kind, node.target) for node in nodes] == [
        ("task", "geometry.area"),
        ("task", "geometry.describe"),
        ("task", "geometry.area"),
    ]
    assert nodes[2].inputs["height"].model_dump() == {"kind": "output", "node": "n1", "var": "pages", "path": ()}
    assert document.tasks["geometry.area"].container is not None
    assert WorkflowDocument.model_validate_json(document.model_dump_json()) == document


def test_plan_has_a_task_node() -> None:
    document = compile_entity(both)
    assert isinstance(document, WorkflowDocument)
    plan = plan_of(document)
    (graph,) = plan["graphs"].values()
    assert [node["kind"] for node in graph["nodes"]] == ["task"] * 3
    assert graph["nodes"][1]["retries"] == 2


def test_container_task_alone_in_maps_and_in_dynamic_tasks() -> None:
    document = task_document(area, None)
    assert list(document_problems(document)) == []
    assert compile_entity(many).root.nodes[0].map.kind == "task"  # type: ignore[union-attr]
    assert compile_entity(chosen)


def test_wrong_arguments_are_refused() -> None:
    @workflow
    def wrong() -> int:
        return area(width="2", height=3)

    with pytest.raises(ProgramError, match="'width'"):
        compile_entity(wrong)
    with pytest.raises(InputError, match="height"):
        area(width=1)


def test_override_of_the_image_is_in_the_node() -> None:
    @workflow
    def other() -> int:
        return area(width=2, height=3).with_overrides(container_image="registry/other:2")

    document = compile_entity(other)
    assert isinstance(document, WorkflowDocument)
    settings = document.root.nodes[0].overrides.settings
    assert settings is not None
    assert settings.container_image == "registry/other:2"
    container = document.tasks["geometry.area"].container
    assert container is not None
    assert container.image == "debian:12-slim"


# ------------------------------------------------------------------------------- where none can run


def test_container_task_does_not_run_in_this_process() -> None:
    with pytest.raises(NotSupported, match=r"'geometry\.area'") as caught:
        area(width=1, height=2)
    assert "kubernetes" in (caught.value.hint or "")
    assert caught.value.location is not None
    assert caught.value.location.file == __file__
    with pytest.raises(NotSupported):
        mixed(width=1)
    with pytest.raises(NotSupported):
        many(widths=[1, 2])


def test_container_task_can_be_mocked() -> None:
    with task_mock(area) as mock:
        mock.return_value = 20
        assert mixed(width=2) == 21
        mock.assert_called_once_with(width=2, height=10)
    with task_mock(described) as mock:
        mock.return_value = (FlyteFile("s3://b/k"), 3)
        assert described(shape=FlyteFile("s3://b/s"), note=None).pages == 3


# --------------------------------------------------------------------------------------- definitions


def _made(**options: Any) -> ContainerTask:
    return ContainerTask(**{"name": "c", "image": "i", "command": ["run"], **options})


def test_metadata_completes_the_options() -> None:
    assert _made(metadata=TaskMetadata(retries=3, timeout=5)).settings == _made(retries=3, timeout=5).settings


def test_image_spec_is_resolved_to_its_name() -> None:
    spec = ImageSpec(name="tools", registry="registry", packages=["x"])
    assert _made(image=spec).container.image == spec.image_name()


def test_empty_command_is_the_images_own() -> None:
    made = _made(command=[])
    assert entity_problems(made) == []
    assert made.container.command == ()


def test_malformed_options_are_refused() -> None:
    malformed: list[dict[str, Any]] = [
        {"retires": 3},
        {"container_image": "x"},
        {"command": "echo 1"},
        {"command": ["echo", 1]},
        {"arguments": "x"},
        {"name": None},
        {"inputs": ["x"]},
        {"outputs": int},
        {"metadata_format": "xml"},
        {"io_strategy": "stream"},
        {"retries": -1},
        {"retries": 2, "metadata": TaskMetadata(retries=3)},
    ]
    cases = {repr(options): unlocated(lambda options=options: _made(**options), ValueError) for options in malformed}
    check_golden("container-options", cases)


@pytest.mark.parametrize(
    "options",
    [
        {"metadata_format": ContainerTask.MetadataFormat.PROTO},
        {"io_strategy": ContainerTask.IOStrategy.DOWNLOAD_STREAM},
        {"io_strategy": ContainerTask.IOStrategy.DO_NOT_UPLOAD},
    ],
)
def test_unsupported_option_of_flytekit_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(NotSupported) as caught:
        _made(**options)
    assert caught.value.hint


PROBLEMS: list[dict[str, Any]] = [
    {"command": ["{{.inputs.y}}"], "inputs": {"x": int}},
    {"command": ["{{.inputs.x}}"], "inputs": {"x": FlyteFile}},
    {"command": ["{{.inputs.x}}"], "inputs": {"x": FlyteDirectory | None}},
    {"command": ["{{.inputs.x}}"], "inputs": {"x": bytes}},
    {"arguments": ["{{ .outputPrefix }}"]},
    {"inputs": {"x": list[FlyteFile]}},
    {"outputs": {"x": dict[str, FlyteFile]}},
    {"outputs": {"x": FlyteFile | FlyteDirectory}},
    {"input_data_dir": "in"},
    {"output_data_dir": "/"},
    {"output_data_dir": "/a/../b"},
    {"output_data_dir": "/var/inputs/out"},
    {"input_data_dir": "/x", "output_data_dir": "/x"},
    {"image": " "},
    {"name": "a:b"},
    {"inputs": {"a-b": int}},
    {"outputs": {"_x": int}},
    {"outputs": {"class": int}},
    {"inputs": {"x": 5}},
    {"resources": Resources(cpu=(2, 1))},
]


def test_problems_of_options() -> None:
    made = [(repr(options), _made(**options)) for options in PROBLEMS]
    check_golden("container-problems", {name: unlocated(lambda task=task: task_document(task, None)) for name, task in made})


@pytest.mark.parametrize("options", PROBLEMS, ids=repr)
def test_problem_is_reported_with_its_line(options: dict[str, Any]) -> None:
    made = _made(**options)
    with pytest.raises(ProgramError) as caught:
        task_document(made, None)
    (problem,) = caught.value.problems
    assert problem.location is not None
    assert problem.location.file == __file__


def test_grouped_map_of_a_container_task_is_refused() -> None:
    @workflow
    def grouped(widths: list[int]) -> list[int]:
        return map_task(area, items_per_task=2)(width=widths, height=widths)

    check_golden("container-maps", {"items_per_task": unlocated(lambda: compile_entity(grouped), ProgramError)})


# ------------------------------------------------------------------------------------------ documents


def test_command_is_part_of_the_digest() -> None:
    one, other = (task_document(_made(command=[word]), None) for word in ("a", "b"))
    assert digest(one) != digest(other)


def test_contradictory_documents_are_refused() -> None:
    document = task_document(area, None)

    def changed(changes: dict[str, Any]) -> Case:
        wrong = document.model_copy(update={"task": document.task.model_copy(update=changes)})
        return lambda: "\n".join(problem.message for problem in document_problems(wrong))

    changes = [{"container": None}, {"kind": "python", "loader": "m:t"}, {"loader": "m:t"}]
    check_golden("container-documents", {repr(change): changed(change) for change in changes})
