"""Targets of launches: names, precedence, versions, and the documents that run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from flytemp.authoring.launch_plan import default_launch_plan
from flytemp.compiler import compile_entity
from flytemp.errors import InputError, NotFound
from flytemp.launching.targets import LOCAL_VERSION, find_target, load_target, program_target
from flytemp.names import EntityId, EntityKind
from flytemp.registry import Registry
from flytemp.spec.models import Document, LaunchPlanDocument
from flytemp.store import open_store
from tests import small

Find = Callable[..., tuple[EntityId, Document]]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    store = open_store(str(tmp_path_factory.mktemp("store")))
    small.register(store, "v1")
    return small.register(store, "v2")


@pytest.fixture
def find(registry: Registry) -> Find:
    return lambda text, version=None: find_target(
        registry, text, project="default", domain="development", version=version
    )


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("tests.small.diamond", EntityKind.WORKFLOW, "tests.small.diamond"),
        ("diamond", EntityKind.WORKFLOW, "tests.small.diamond"),
        ("tests.small.add", EntityKind.TASK, "tests.small.add"),
        ("add", EntityKind.TASK, "tests.small.add"),
        ("wf:default:development:tests.small.diamond", EntityKind.WORKFLOW, "tests.small.diamond"),
        ("small-of-5", EntityKind.LAUNCH_PLAN, "small-of-5"),
        ("plan", EntityKind.LAUNCH_PLAN, "small-of-5"),
    ],
)
def test_a_target_is_found_by_its_names(find: Find, text: str, kind: EntityKind, name: str) -> None:
    entity, document = find(text)
    assert (entity.kind, entity.name, entity.version) == (kind, name, "v2")
    assert document.name == name


def test_a_launch_plan_takes_precedence_over_its_workflow(tmp_path: Path) -> None:
    registry = Registry(open_store(str(tmp_path)))
    documents: list[Document] = [compile_entity(small.diamond), compile_entity(default_launch_plan(small.diamond))]
    registry.register(documents, project="default", domain="development", version="v1")
    entity, _ = find_target(registry, "diamond", project="default", domain="development")
    assert entity.kind is EntityKind.LAUNCH_PLAN


def test_a_version_can_be_given_with_a_name_or_in_a_urn(find: Find) -> None:
    assert find("diamond", "v1")[0].version == "v1"
    assert find("wf:default:development:tests.small.diamond:v1")[0].version == "v1"
    assert find("wf:default:development:tests.small.diamond:v1", "v1")[0].version == "v1"


def test_contradicting_versions_are_refused(find: Find) -> None:
    with pytest.raises(InputError):
        find("wf:default:development:tests.small.diamond:v1", "v2")


@pytest.mark.parametrize(("text", "version"), [("diamand", None), ("diamond", "v3"), ("", None)])
def test_an_unknown_target_is_not_found(find: Find, text: str, version: str | None) -> None:
    with pytest.raises(NotFound):
        find(text, version)


def test_a_launch_plan_runs_the_workflow_of_its_version(registry: Registry, find: Find) -> None:
    target = load_target(registry, *find("small-of-5", "v1"))
    assert str(target.entity) == "lp:default:development:small-of-5:v1"
    assert str(target.spec_id) == "wf:default:development:tests.small.diamond:v1"
    assert target.spec.name == "tests.small.diamond"


def test_a_task_runs_itself(registry: Registry, find: Find) -> None:
    target = load_target(registry, *find("add"))
    assert target.spec_id == target.entity
    assert target.spec is target.document


def test_a_target_of_an_unregistered_program_has_the_local_version() -> None:
    documents = {(document.kind, document.name): document for document in small.documents()}
    plan, workflow = documents["launch_plan", "small-of-5"], documents["workflow", "tests.small.diamond"]
    assert isinstance(plan, LaunchPlanDocument)
    assert workflow.kind == "workflow"
    target = program_target(plan, workflow, "p", "d")
    assert target.entity == EntityId(EntityKind.LAUNCH_PLAN, "p", "d", "small-of-5", LOCAL_VERSION)
    assert target.spec_id == EntityId(EntityKind.WORKFLOW, "p", "d", "tests.small.diamond", LOCAL_VERSION)
    assert target.spec is workflow
