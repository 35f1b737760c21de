"""Reading of stored documents, and errors of damaged ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
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
from tests.messages.golden import check_golden, unlocated

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
    LaunchPlanDocument(launch_plan=LaunchPlanSpec(name="lp", workflow="wf"), interface=Interface(), workflow_digest="0"),
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


DAMAGES: dict[str, Callable[[Any], None]] = {
    "without a kind": _drop("kind"),
    "unknown kind": _set("kind", to="job"),
    "without workflows": _drop("workflows"),
    "unknown field": _set("unknown", to=1),
    "unknown kind of node": _set("workflows", "wf", "nodes", 0, "kind", to="pod"),
    "invalid schema version": _set("schema_version", to=0),
    "without its own workflow": _drop("workflows", "wf"),
    "without a called workflow": _drop("workflows", "inner"),
    "without a called task": _drop("tasks", "t"),
    "task of another name": _set("tasks", "t", "name", to="u"),
    "workflow of another name": _set("workflows", "inner", "name", to="u"),
    "newer schema version": _set("schema_version", to=2),
    "many problems": lambda value: value.update({f"x{number}": 1 for number in range(50)}),
}


def test_damaged_workflows_are_refused() -> None:
    def read(change: Callable[[Any], None]) -> object:
        value = _workflow().model_dump(mode="json")
        change(value)
        return read_document(json.dumps(value).encode(), WHERE)

    check_golden("damaged-documents", {name: unlocated(partial(read, change), CorruptData) for name, change in DAMAGES.items()})


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"null", b"5", b'"text"', b"[]", b"{}"])
def test_other_content_is_refused(data: bytes) -> None:
    with pytest.raises(CorruptData, match=WHERE):
        read_document(data, WHERE)
