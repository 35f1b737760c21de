"""Reading of stored documents, and errors of damaged ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from flytemp.errors import CorruptData
from flytemp.spec.canonical import dumps
from flytemp.spec.models import (
    Interface,
    LaunchPlanDocument,
    LaunchPlanSpec,
    NodeSpec,
    TaskDocument,
    TaskSpec,
    WorkflowDocument,
    WorkflowSpec,
)
from flytemp.spec.read import read_document

WHERE = "s3://bucket/registry/x.json"


def _workflow() -> WorkflowDocument:
    inner = WorkflowSpec(name="inner", interface=Interface())
    nodes = (NodeSpec(id="n0", kind="task", target="t"), NodeSpec(id="n1", kind="workflow", target="inner"))
    return WorkflowDocument(
        name="wf",
        workflows={"wf": WorkflowSpec(name="wf", interface=Interface(), nodes=nodes), "inner": inner},
        tasks={"t": TaskSpec(name="t", interface=Interface(), loader="m:t")},
    )


DOCUMENTS = [
    TaskDocument(task=TaskSpec(name="t", interface=Interface(), loader="m:t")),
    _workflow(),
    LaunchPlanDocument(
        launch_plan=LaunchPlanSpec(name="lp", workflow="wf"), interface=Interface(), workflow_digest="0"
    ),
]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.kind)
def test_documents_are_read_back(document: TaskDocument | WorkflowDocument | LaunchPlanDocument) -> None:
    assert read_document(dumps(document.model_dump(mode="json")).encode(), WHERE) == document


def _set(*path: str | int, to: Any) -> Callable[[Any], None]:
    def change(value: Any) -> None:
        for part in path[:-1]:
            value = value[part]
        value[path[-1]] = to

    return change


def _drop(*path: str | int) -> Callable[[Any], None]:
    def change(value: Any) -> None:
        for part in path[:-1]:
            value = value[part]
        del value[path[-1]]

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_drop("kind"), "Unable to extract tag"),
        (_set("kind", to="job"), "'job'"),
        (_drop("workflows"), "/workflow/workflows: Field required"),
        (_set("unknown", to=1), "/workflow/unknown: Extra inputs are not permitted"),
        (_set("workflows", "wf", "nodes", 0, "kind", to="pod"), "/workflow/workflows/wf/nodes/0/kind"),
        (_set("schema_version", to=0), "/workflow/schema_version"),
        (_drop("workflows", "wf"), "it lacks its own workflow 'wf'"),
        (_drop("workflows", "inner"), "the node 'n1' of 'wf' calls the workflow 'inner', which the document lacks"),
        (_drop("tasks", "t"), "the node 'n0' of 'wf' calls the task 't', which the document lacks"),
        (_set("tasks", "t", "name", to="u"), "the task 't' calls itself 'u'"),
        (_set("workflows", "inner", "name", to="u"), "the workflow 'inner' calls itself 'u'"),
    ],
)
def test_damaged_workflow_is_refused(change: Callable[[Any], None], reason: str) -> None:
    value = _workflow().model_dump(mode="json")
    change(value)
    with pytest.raises(CorruptData) as caught:
        read_document(json.dumps(value).encode(), WHERE)
    assert caught.value.message.startswith(f"{WHERE} is not a valid document: ")
    assert reason in caught.value.message
    assert "new version" in (caught.value.hint or "")


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"null", b"5", b'"text"', b"[]", b"{}"])
def test_other_content_is_refused(data: bytes) -> None:
    with pytest.raises(CorruptData, match=WHERE):
        read_document(data, WHERE)


def test_many_problems_are_counted() -> None:
    value = DOCUMENTS[0].model_dump(mode="json")
    value["task"] = {f"x{number}": 1 for number in range(50)}
    with pytest.raises(CorruptData, match="and 49 more") as caught:
        read_document(json.dumps(value).encode(), WHERE)
    assert len(caught.value.message) < 600


def test_newer_schema_version_has_the_hint_to_upgrade() -> None:
    value = DOCUMENTS[0].model_dump(mode="json") | {"schema_version": 2, "new_field": 1}
    with pytest.raises(CorruptData, match="has schema version 2; this flytemp reads up to 1") as caught:
        read_document(json.dumps(value).encode(), WHERE)
    assert "upgrade" in (caught.value.hint or "")
