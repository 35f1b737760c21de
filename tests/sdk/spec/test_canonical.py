"""Canonical form of documents: a new optional field changes no digest, and defaults never change."""

from __future__ import annotations

import json
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import create_model

from flytemp.literals.types import SchemaModel
from flytemp.spec import models
from flytemp.spec.canonical import complete, content, defaults_of, digest, stored
from flytemp.spec.models import (
    Interface,
    LaunchPlanDocument,
    LaunchPlanSpec,
    LiteralBinding,
    NodeOverrides,
    NodeSpec,
    Retries,
    SourceLocation,
    TaskDocument,
    TaskSettings,
    TaskSpec,
    Variable,
    WorkflowDocument,
)
from flytemp.spec.read import read_document
from tests.sdk.spec.sample_documents import sample_documents

GOLDEN = Path(__file__).with_name("defaults.json")


def reachable_models() -> list[type[SchemaModel]]:
    """Every model that a document can contain, by name."""
    found: dict[str, type[SchemaModel]] = {}
    pending: list[Any] = [TaskDocument, WorkflowDocument, LaunchPlanDocument]
    while pending:
        value = pending.pop()
        if isinstance(value, type) and issubclass(value, SchemaModel):
            if value.__name__ not in found:
                found[value.__name__] = value
                pending += [field.annotation for field in value.model_fields.values()]
        else:
            pending += typing.get_args(value)
    return [found[name] for name in sorted(found)]


MODELS = reachable_models()


def task(**fields: Any) -> TaskDocument:
    return TaskDocument(task=TaskSpec(name="m.t", interface=Interface(), loader="m:t", **fields))


# ------------------------------------------------------------------------------------ new optional fields


class Nested(SchemaModel):
    number: int = 3


def grown(value: Any, model: type[SchemaModel], larger: type[SchemaModel], added: Any) -> Any:
    """``value`` with each instance of ``model`` replaced by one of its subclass ``larger``, whose new field is ``added``."""
    if isinstance(value, SchemaModel):
        fields = {name: grown(getattr(value, name), model, larger, added) for name in type(value).model_fields}
        if type(value) is model:
            return larger.model_construct(**fields, added=added)
        return type(value).model_construct(**fields)
    if isinstance(value, tuple):
        return tuple(grown(item, model, larger, added) for item in value)
    return {key: grown(item, model, larger, added) for key, item in value.items()} if isinstance(value, dict) else value


def count(value: Any, model: type[SchemaModel]) -> int:
    if isinstance(value, SchemaModel):
        return (type(value) is model) + sum(count(getattr(value, name), model) for name in type(value).model_fields)
    items = value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else ()
    return sum(count(item, model) for item in items)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
@pytest.mark.parametrize(
    ("annotation", "default", "other"),
    [
        (str | None, None, "x"),
        (str, "", "x"),
        (float, 1.0, 2.0),
        (bool, False, True),
        (tuple[int, ...], (1,), (1, 2)),
        (dict[str, int], {}, {"a": 1}),
        (Nested, Nested(), Nested(number=4)),
        (Nested | None, None, Nested()),
    ],
    ids=str,
)
def test_new_optional_field_leaves_digests_as_they_are(
    model: type[SchemaModel], annotation: Any, default: Any, other: Any
) -> None:
    larger = create_model("Larger", __base__=model, added=(annotation, default))
    documents = [document for document in sample_documents() if count(document, model)]
    assert documents, f"no sample document contains a {model.__name__}"
    for document in documents:
        unused = grown(document, model, larger, default)
        assert count(unused, larger) == count(document, model)
        assert digest(unused) == digest(document)
        assert stored(unused) == stored(document)
        used = grown(document, model, larger, other)
        assert stored(used) != stored(document)


def test_sample_documents_are_read_back_from_their_stored_form() -> None:
    for document in sample_documents():
        assert read_document(stored(document).encode(), "here") == document


# ------------------------------------------------------------------------------------------- defaults


def test_no_default_has_changed() -> None:
    """A new field is added to the file; a line of it that changes or goes changes the digests of registered documents."""
    now = {f"{model.__name__}.{name}": value for model in MODELS for name, value in defaults_of(model)}
    golden = json.loads(GOLDEN.read_text())
    changed = {name for name, value in golden.items() if json.dumps(now.get(name, "removed")) != json.dumps(value)}
    assert not changed, "a default must not change: it would change digests of registered documents"
    assert now.keys() == golden.keys(), f"add these fields to {GOLDEN.name}: {sorted(now.keys() - golden.keys())}"


def test_written_default_is_the_same_content_in_a_task() -> None:
    settings = TaskSettings(retries=Retries(count=0), labels={}, timeout_seconds=None)
    assert digest(task(settings=settings, kind="python")) == digest(task())


def test_written_default_is_the_same_content_in_a_node() -> None:
    left_out = NodeSpec(id="n0", kind="sleep", sleep_seconds=1)
    written = NodeSpec(id="n0", kind="sleep", sleep_seconds=1.0, inputs={}, after=(), overrides=NodeOverrides(name=None))
    assert content(left_out) == content(written)
    assert content(left_out) == {"id": "n0", "kind": "sleep", "sleep_seconds": 1.0}


@pytest.mark.parametrize(
    "build",
    [
        lambda value: LiteralBinding(value=value),
        lambda value: Variable(name="x", type={"kind": "any"}, required=False, default=value),
        lambda value: LaunchPlanSpec(name="p", workflow="w", default_inputs={"x": value}),
    ],
    ids=["constant", "default", "launch plan"],
)
@pytest.mark.parametrize(
    "value",
    [
        {"kind": "literal", "location": None, "retries": {"count": 0}},
        {"location": {"file": "a", "line": 1}},
        [None, False, 0, 0.0, "", [], {}],
        {"": None},
    ],
)
def test_values_of_the_user_are_kept_whole(build: Callable[[Any], SchemaModel], value: Any) -> None:
    assert json.dumps(value) in json.dumps(content(build(value)))


@pytest.mark.parametrize(("one", "other"), [(1, True), (1, 1.0), (0, False), ([1], [True]), ("", None), ({}, None)])
def test_values_that_only_python_takes_for_equal_are_different_content(one: Any, other: Any) -> None:
    first, second = (
        LaunchPlanDocument(
            launch_plan=LaunchPlanSpec(name="p", workflow="w", fixed_inputs={"x": value}),
            interface=Interface(),
            workflow_digest="0",
        )
        for value in (one, other)
    )
    assert digest(first) != digest(second)


def test_none_differs_from_a_model_of_defaults() -> None:
    without, with_defaults = (
        NodeSpec(id="n0", kind="task", target="t", overrides=NodeOverrides(settings=settings))
        for settings in (None, TaskSettings())
    )
    assert content(without) != content(with_defaults)


def test_discriminators_are_kept() -> None:
    assert content(LiteralBinding(value=None)) == {"kind": "literal", "value": None}
    assert content(task())["kind"] == "task"
    assert content(task())["schema_version"] == 1


def test_source_locations_are_stored_and_are_not_content() -> None:
    here, there = (task(location=SourceLocation(file="m.py", line=line)) for line in (1, 2))
    assert digest(here) == digest(there)
    assert json.loads(stored(here))["task"]["location"] == {"file": "m.py", "line": 1}
    assert "location" not in complete(here)["task"]


def test_complete_form_has_the_defaults() -> None:
    assert complete(task())["task"]["settings"]["retries"]["count"] == 0
    assert set(complete(models.TaskSettings())) == set(models.TaskSettings.model_fields)
