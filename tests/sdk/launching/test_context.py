"""Contexts of new executions, the merging of their inputs, and their names."""

from __future__ import annotations

import pytest

from flytemp.errors import InputError
from flytemp.launching.context import execution_context
from flytemp.launching.execution_names import child_name, generate_local_name, generate_name, launch_digest
from flytemp.launching.inputs import launch_interface, merge_inputs
from flytemp.launching.targets import program_target
from flytemp.layout import ExecutionLayout
from flytemp.literals.types import Json
from flytemp.names import check_execution
from flytemp.records.launch import ExecutionContext, LaunchOptions, ParentCall
from flytemp.spec.models import Document, LaunchPlanDocument, WorkflowDocument
from tests import small

DOCUMENTS: dict[tuple[str, str], Document] = {(document.kind, document.name): document for document in small.documents()}
DIAMOND = DOCUMENTS["workflow", "tests.small.diamond"]
OF_5, OF_7 = DOCUMENTS["launch_plan", "small-of-5"], DOCUMENTS["launch_plan", "small-of-7"]
NESTED = DOCUMENTS["workflow", "tests.small.nested"]


def context(options: LaunchOptions | None = None, parent: ParentCall | None = None) -> ExecutionContext:
    assert isinstance(DIAMOND, WorkflowDocument)
    return execution_context(
        program_target(OF_5, DIAMOND, "p", "d"),
        ExecutionLayout("default", "ex:p:d:nightly", "run-1"),
        inputs={},
        options=options or LaunchOptions(),
        raw_data_prefix="s3://bucket/data/",
        started_at="2026-01-01T00:00:00+00:00",
        parent=parent,
    )


@pytest.mark.parametrize(
    ("document", "given", "merged"),
    [
        (DIAMOND, {}, {"x": 1}),
        (DIAMOND, {"x": 3}, {"x": 3}),
        (OF_5, {}, {"x": 5}),
        (OF_5, {"x": 3}, {"x": 3}),
        (OF_7, {}, {"x": 7}),
    ],
)
def test_inputs_are_merged_by_precedence(document: Document, given: dict[str, Json], merged: dict[str, Json]) -> None:
    assert merge_inputs(document, given) == merged


@pytest.mark.parametrize(
    ("document", "given"), [(OF_7, {"x": 1}), (DIAMOND, {"y": 1}), (NESTED, {}), (NESTED, {"x": "1"})]
)
def test_invalid_inputs_are_refused(document: Document, given: dict[str, Json]) -> None:
    with pytest.raises(InputError):
        merge_inputs(document, given)


def test_the_interface_for_callers_has_defaults_and_no_fixed_inputs() -> None:
    (x,) = launch_interface(OF_5).inputs
    assert (x.name, x.required, x.default) == ("x", False, 5)
    assert launch_interface(OF_7).inputs == ()
    assert launch_interface(OF_7).outputs == launch_interface(DIAMOND).outputs


def test_a_context_has_the_decisions_of_a_launch() -> None:
    made = context(LaunchOptions(timeout_seconds=60))
    assert (made.execution, made.project, made.domain) == ("nightly", "p", "d")
    assert (made.launch_plan, made.workflow, made.version) == ("small-of-5", "tests.small.diamond", "local")
    assert isinstance(OF_5, LaunchPlanDocument)
    assert made.inputs == {"x": 5}
    assert made.labels == {"team": "a"}
    assert made.options == LaunchOptions(labels={"team": "a"}, max_parallelism=2, timeout_seconds=60)
    assert made.raw_data_prefix == "s3://bucket/data"


def test_an_option_sets_the_place_of_files() -> None:
    assert context(LaunchOptions(raw_data_prefix="/srv/data/")).raw_data_prefix == "/srv/data"


def test_a_context_has_the_call_of_the_parent() -> None:
    parent = ParentCall(workflow_id="ex:p:d:parent", node="n0", attempt=1, options=LaunchOptions(interruptible=True))
    made = context(parent=parent)
    assert made.parent == parent
    assert made.options.interruptible is True


def test_generated_names_are_valid_and_unique() -> None:
    names = {make() for make in (generate_name, generate_local_name) for _ in range(10)}
    assert len(names) == 20
    assert all(check_execution(name) for name in names)


def test_the_name_of_a_child_depends_on_the_attempt_alone() -> None:
    name = child_name("nightly-" + "x" * 50, "executions/default/k/run", "n0.n1", 1)
    assert check_execution(name).startswith("nightly-")
    assert name == child_name("nightly-" + "x" * 50, "executions/default/k/run", "n0.n1", 1)
    assert name != child_name("nightly-" + "x" * 50, "executions/default/k/run", "n0.n1", 2)


def test_a_launch_is_identified_by_target_inputs_and_options() -> None:
    digest = launch_digest("wf", {"x": 1, "y": 2}, LaunchOptions())
    assert digest == launch_digest("wf", {"y": 2, "x": 1}, LaunchOptions())
    others = [
        launch_digest("wf@v1", {"x": 1, "y": 2}, LaunchOptions()),
        launch_digest("wf", {"x": 1}, LaunchOptions()),
        launch_digest("wf", {"x": 1, "y": 2}, LaunchOptions(max_parallelism=1)),
    ]
    assert len({digest, *others}) == 4
