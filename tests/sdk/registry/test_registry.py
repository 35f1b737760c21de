"""Registering, getting and listing, and what is said when that does not work."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flytemp import layout
from flytemp.errors import AlreadyExists, CorruptData, InputError, InvalidName, NotFound, StoreError
from flytemp.names import EntityId, EntityKind
from flytemp.registry import Registry
from flytemp.spec.models import (
    BundleRef,
    Interface,
    LaunchPlanDocument,
    LaunchPlanSpec,
    Retries,
    SourceLocation,
    TaskDocument,
    TaskSettings,
    TaskSpec,
    WorkflowDocument,
    WorkflowSpec,
)
from flytemp.store.object_store import ObjectStore

PLACE = {"project": "p", "domain": "d"}


def task(name: str, retries: int = 0, line: int = 1, digest: str = "0" * 64) -> TaskDocument:
    spec = TaskSpec(
        name=name,
        interface=Interface(),
        loader=f"m:{name}",
        settings=TaskSettings(retries=Retries(count=retries)),
        location=SourceLocation(file="m.py", line=line),
    )
    return TaskDocument(task=spec, bundle=BundleRef(digest=digest, size=1))


def workflow(name: str) -> WorkflowDocument:
    return WorkflowDocument(name=name, workflows={name: WorkflowSpec(name=name, interface=Interface())})


def launch_plan(name: str) -> LaunchPlanDocument:
    return LaunchPlanDocument(
        launch_plan=LaunchPlanSpec(name=name, workflow=name), interface=Interface(), workflow_digest="x"
    )


def tsk(name: str, version: str | None = None) -> EntityId:
    return EntityId(EntityKind.TASK, "p", "d", name, version)


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "file":
        return ObjectStore.open(str(tmp_path / "store"))
    return ObjectStore.open(f"memory://{tmp_path.name}-{id(request)}")


@pytest.fixture
def registry(store: ObjectStore) -> Registry:
    return Registry(store)


@pytest.fixture
def local(tmp_path: Path) -> Registry:
    return Registry(ObjectStore.open(str(tmp_path / "store")))


def statuses(entries: list[Any]) -> list[tuple[str, str]]:
    return [(entry.entity.name, entry.status) for entry in entries]


# --------------------------------------------------------------------------------------------- register


def test_all_kinds_there_and_back(registry: Registry) -> None:
    documents = [workflow("wf"), task("t", retries=2), launch_plan("wf")]
    entries = registry.register(documents, version="v1", **PLACE)
    assert [str(entry.entity) for entry in entries] == ["wf:p:d:wf:v1", "tsk:p:d:t:v1", "lp:p:d:wf:v1"]
    assert {entry.status for entry in entries} == {"new"}
    for entry, document in zip(entries, documents, strict=True):
        assert registry.get(entry.entity) == (entry.entity, document)


def test_the_same_content_again_changes_nothing(registry: Registry) -> None:
    registry.register([task("t", line=1)], version="v1", published_ms=1000, **PLACE)
    again = registry.register([task("t", line=99)], version="v1", published_ms=2000, **PLACE)
    assert statuses(again) == [("t", "unchanged")]
    assert len(registry.store.list(layout.latest_folder(tsk("t")))) == 1
    document = registry.get(tsk("t"))[1]
    assert isinstance(document, TaskDocument)
    assert document.task.location == SourceLocation(file="m.py", line=1)


def test_other_content_under_the_same_version_is_refused_with_the_difference(registry: Registry) -> None:
    registry.register([task("t", retries=1)], version="v1", **PLACE)
    with pytest.raises(AlreadyExists) as caught:
        registry.register([task("t", retries=2), task("new")], version="v1", **PLACE)
    assert caught.value.message == (
        "task with different structure already exists: tsk:p:d:t:v1\n/task/settings/retries/count:\n\t- 1\n\t+ 2"
    )
    assert "another one than 'v1'" in (caught.value.hint or "")
    with pytest.raises(NotFound):
        registry.get(tsk("new", "v1"))


def test_every_conflict_is_told(registry: Registry) -> None:
    registry.register([task(f"t{number}", retries=1) for number in range(8)], version="v1", **PLACE)
    with pytest.raises(AlreadyExists) as caught:
        registry.register([task(f"t{number}", retries=2) for number in range(8)], version="v1", **PLACE)
    assert all(f"tsk:p:d:t{number}:v1" in caught.value.message for number in range(8))
    assert "… and 3 more" in caught.value.message


def test_other_code_is_other_content(registry: Registry) -> None:
    registry.register([task("t")], version="v1", **PLACE)
    with pytest.raises(AlreadyExists, match="/bundle/digest:"):
        registry.register([task("t", digest="1" * 64)], version="v1", **PLACE)


def test_preview_tells_and_writes_nothing(registry: Registry) -> None:
    registry.register([task("same"), task("other", retries=1)], version="v1", **PLACE)
    entries = registry.preview([task("fresh"), task("other", retries=2), task("same")], version="v1", **PLACE)
    assert statuses(entries) == [("fresh", "new"), ("other", "conflict"), ("same", "unchanged")]
    assert entries[1].diff == "/task/settings/retries/count:\n\t- 1\n\t+ 2"
    with pytest.raises(NotFound):
        registry.get(tsk("fresh", "v1"))


def test_one_document_twice_is_one(registry: Registry) -> None:
    assert statuses(registry.register([task("t"), task("t")], version="v1", **PLACE)) == [("t", "new")]


def test_two_documents_of_one_name(registry: Registry) -> None:
    with pytest.raises(InputError, match="two different tasks are called 't'"):
        registry.register([task("t"), task("t", retries=1)], version="v1", **PLACE)


@pytest.mark.parametrize(
    ("name", "project", "domain", "version"),
    [
        ("../evil", "p", "d", "v"),
        ("t", "../p", "d", "v"),
        ("t", "p", "D", "v"),
        ("t", "p", "d", "../v"),
        ("t", "p", "d", "v/1"),
        ("t", "p", "d", ""),
        ("a..b", "p", "d", "v"),
    ],
)
def test_names_that_are_none(registry: Registry, name: str, project: str, domain: str, version: str) -> None:
    with pytest.raises(InvalidName):
        registry.register([task(name)], project=project, domain=domain, version=version)


def test_a_version_that_is_none_is_refused_even_for_nothing(registry: Registry) -> None:
    with pytest.raises(InvalidName):
        registry.register([], version="no/version", **PLACE)


# ---------------------------------------------------------------------------------------- get and list


def test_the_latest_is_what_was_published_last(registry: Registry) -> None:
    for version, moment in (("v1", 3000), ("v3", 1000), ("v2", 2000)):
        registry.register([task("t", retries=int(version[1]))], version=version, published_ms=moment, **PLACE)
    assert registry.latest(tsk("t")) == "v1"
    assert registry.get(tsk("t"))[0] == tsk("t", "v1")
    assert registry.versions(tsk("t")) == ["v1", "v2", "v3"]
    assert registry.get(tsk("t", "v3"))[1] == task("t", retries=3)


def test_a_version_that_is_registered_again_is_the_latest_again(registry: Registry) -> None:
    for version, moment in (("v1", 1000), ("v2", 2000), ("v1", 3000)):
        entries = registry.register([task("t", retries=int(version[1]))], version=version, published_ms=moment, **PLACE)
    assert statuses(entries) == [("t", "unchanged")]
    assert registry.latest(tsk("t")) == "v1"
    assert registry.versions(tsk("t")) == ["v1", "v2"]


def test_publishing_takes_the_time_of_now(registry: Registry) -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    registry.register([task("t")], version="v1", **PLACE)
    summary = registry.list(EntityKind.TASK, "p", "d")[0]
    assert before <= summary.published_at <= datetime.now(UTC)


def test_list(registry: Registry) -> None:
    registry.register([task("b"), task("a"), workflow("w")], version="v1", published_ms=1000, **PLACE)
    registry.register([task("b", retries=1)], version="v2-x-y", published_ms=2000, **PLACE)
    registry.register([task("elsewhere")], project="p", domain="other", version="v1")
    found = [(item.name, item.version, item.published_at) for item in registry.list(EntityKind.TASK, "p", "d")]
    assert found == [
        ("a", "v1", datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)),
        ("b", "v2-x-y", datetime(1970, 1, 1, 0, 0, 2, tzinfo=UTC)),
    ]
    assert registry.list(EntityKind.LAUNCH_PLAN, "p", "d") == []


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        ("train_modle", "did you mean 'pipelines.ml.train_model'?"),
        ("train_model", "did you mean 'pipelines.ml.train_model'?"),
        ("pipelines.ml.train_mode", "did you mean 'pipelines.ml.train_model'?"),
        ("quite_different", "`flytemp list` shows the 2 tasks there are"),
    ],
)
def test_an_unknown_name_gets_near_ones(registry: Registry, asked: str, hint: str) -> None:
    registry.register([task("pipelines.ml.train_model"), task("other.load")], version="v1", **PLACE)
    for call in (registry.get, registry.latest, registry.versions):
        with pytest.raises(NotFound, match=f"there is no task '{asked}' in p/d") as caught:
            call(tsk(asked))
        assert caught.value.hint == hint


def test_an_unknown_version_gets_near_ones(registry: Registry) -> None:
    for number in range(3):
        registry.register([task("t", retries=number)], version=f"1.{number}", published_ms=1000 + number, **PLACE)
    with pytest.raises(NotFound, match=r"the task 't' in p/d of the store .* has no version '1\.9'") as caught:
        registry.get(tsk("t", "1.9"))
    assert caught.value.hint == "did you mean '1.2' or '1.1' or '1.0'? The latest is '1.2'"


def test_an_empty_registry_says_so(registry: Registry) -> None:
    with pytest.raises(NotFound) as caught:
        registry.get(EntityId(EntityKind.WORKFLOW, "p", "d", "x"))
    assert "no workflow is registered in p/d" in (caught.value.hint or "")


# ------------------------------------------------------------------------------------------- damaged


def _change(value: dict[str, Any], path: list[str], new: Any) -> bytes:
    inner = value
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = new
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda value: b"", "not JSON"),
        (lambda value: json.dumps(value).encode()[:-10], "not JSON"),
        (lambda value: b"\xff\xfe\xff", "not JSON"),
        (lambda value: b"[]", "dictionary"),
        (lambda value: _change(value, ["task", "loader"], 5), "/task/task/loader: Input should be a valid string"),
        (lambda value: _change(value, ["task", "surprise"], 5), "/task/task/surprise: Extra inputs"),
        (lambda value: _change(value, ["kind"], "unknown"), "unknown"),
        (lambda value: _change(value, ["schema_version"], 2), "has schema version 2"),
        (lambda value: _change(value, ["task", "name"], "u"), "holds the task 'u', not the task 't'"),
    ],
)
@pytest.mark.parametrize(
    "use",
    [
        lambda registry: registry.get(tsk("t")),
        lambda registry: registry.preview([task("t")], version="v1", **PLACE),
        lambda registry: registry.register([task("a"), task("t")], version="v1", **PLACE),
    ],
    ids=["get", "preview", "register"],
)
def test_a_damaged_document(
    registry: Registry, damage: Callable[[Any], bytes], reason: str, use: Callable[[Registry], object]
) -> None:
    registry.register([task("t")], version="v1", **PLACE)
    key = layout.document_key(tsk("t", "v1"))
    registry.store.write(key, damage(json.loads(registry.store.read(key))))
    with pytest.raises(CorruptData) as caught:
        use(registry)
    assert registry.store.uri_of(key) in caught.value.message
    assert reason in caught.value.message
    assert caught.value.hint
    assert not registry.store.exists(layout.document_key(tsk("a", "v1")))


def test_a_latest_that_leads_nowhere(registry: Registry) -> None:
    registry.register([task("t")], version="v1", **PLACE)
    registry.store.delete(layout.document_key(tsk("t", "v1")))
    with pytest.raises(NotFound):
        registry.get(tsk("t"))


# ---------------------------------------------------------------------------------- a store that refuses


def _files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
@pytest.mark.parametrize("allowed", range(8))
def test_a_store_that_fails_at_any_step_is_left_as_it_was(
    local: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, allowed: int
) -> None:
    local.register([task("before")], version="v1", **PLACE)
    before = _files(tmp_path)
    real, calls = os.link, iter(range(1000))

    def link(source: str, target: str) -> None:
        if next(calls) >= allowed:
            raise OSError(number, os.strerror(number))
        real(source, target)

    monkeypatch.setattr(os, "link", link)
    documents = [task("a"), task("b"), workflow("w"), launch_plan("w")]  # two objects each
    with pytest.raises(StoreError) as caught:
        local.register(documents, version="v1", **PLACE)
    monkeypatch.undo()
    assert os.strerror(number) in caught.value.message
    assert caught.value.hint
    assert _files(tmp_path) == before
    assert {entry.status for entry in local.register(documents, version="v1", **PLACE)} == {"new"}


def test_what_cannot_be_taken_back_is_told(local: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = os.link, iter(range(1000))

    def link(source: str, target: str) -> None:
        if next(calls) >= 1:
            monkeypatch.setattr(os, "unlink", link_is_read_only)
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        real(source, target)

    def link_is_read_only(path: str) -> None:
        if "versions/" in path and not path.rpartition("/")[2].startswith("."):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "link", link)
    with pytest.raises(StoreError, match="1 objects could not be taken back") as caught:
        local.register([task("a"), task("b")], version="v1", **PLACE)
    assert local.store.uri_of(layout.document_key(tsk("a", "v1"))) in str(caught.value)


def test_a_registry_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    registry = Registry(ObjectStore.open(str(tmp_path / "file" / "store")))
    with pytest.raises(StoreError) as caught:
        registry.register([task("a")], version="v1", **PLACE)
    assert caught.value.hint


def test_an_interrupted_registration_leaves_nothing(
    local: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = os.link, iter(range(1000))

    def link(source: str, target: str) -> None:
        if next(calls) >= 3:
            raise KeyboardInterrupt
        real(source, target)

    monkeypatch.setattr(os, "link", link)
    with pytest.raises(KeyboardInterrupt):
        local.register([task("a"), task("b")], version="v1", **PLACE)
    assert _files(tmp_path) == set()


# --------------------------------------------------------------------------------- registrations under way


class World:
    """A clock that only `pause` moves, and things that happen meanwhile."""

    def __init__(self, store: ObjectStore, events: Sequence[Callable[[], object]] = ()) -> None:
        self.now = 0.0
        self.events = iter(events)
        self.registry = Registry(store, clock=lambda: self.now, pause=self.pause)

    def pause(self, seconds: float) -> None:
        self.now += seconds
        next(self.events, lambda: None)()


def _half_registered(store: ObjectStore, document: TaskDocument) -> tuple[str, str]:
    """As another process's registration that is not published yet: the document's key and its latest key."""
    Registry(store).register([document], version="v1", **PLACE)
    latest = layout.latest_folder(tsk(document.name))
    key = f"{latest}/{store.list(latest)[0]}"
    store.delete(key)
    return layout.document_key(tsk(document.name, "v1")), key


def test_a_registration_under_way_is_waited_for(store: ObjectStore) -> None:
    _, latest = _half_registered(store, task("t"))
    world = World(store, [lambda: None, lambda: store.create(latest, b"")])
    assert statuses(world.registry.register([task("t")], version="v1", **PLACE)) == [("t", "unchanged")]
    assert 0 < world.now < 1
    assert store.list(layout.latest_folder(tsk("t"))) == [latest.rpartition("/")[2]]


def test_a_registration_that_is_refused_meanwhile(store: ObjectStore) -> None:
    key, _ = _half_registered(store, task("t"))
    world = World(store, [lambda: store.delete(key)])
    assert statuses(world.registry.register([task("t")], version="v1", **PLACE)) == [("t", "new")]
    assert world.registry.versions(tsk("t")) == ["v1"]


def test_another_content_under_way_that_is_refused(store: ObjectStore) -> None:
    key, _ = _half_registered(store, task("t", retries=5))
    world = World(store, [lambda: store.delete(key)])
    assert statuses(world.registry.register([task("t")], version="v1", **PLACE)) == [("t", "new")]


def test_another_content_under_way_that_wins(store: ObjectStore) -> None:
    _, latest = _half_registered(store, task("t", retries=5))
    world = World(store, [lambda: store.create(latest, b"")])
    with pytest.raises(AlreadyExists, match=r"- 5\n\t\+ 0"):
        world.registry.register([task("a"), task("t")], version="v1", **PLACE)
    assert not store.exists(layout.document_key(tsk("a", "v1")))


def test_a_killed_registration_is_completed_by_the_next(store: ObjectStore) -> None:
    _half_registered(store, task("t"))
    world = World(store)
    assert statuses(world.registry.register([task("t")], version="v1", **PLACE)) == [("t", "unchanged")]
    assert world.now >= 20
    assert world.registry.latest(tsk("t")) == "v1"


def test_what_others_may_have_adopted_is_not_removed(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(store)
    real = store.create

    def create(key: str, data: bytes) -> bool:
        if "tasks/b/" in key:
            world.now += 16
            raise StoreError("the disk is full")
        return real(key, data)

    monkeypatch.setattr(store, "create", create)
    with pytest.raises(StoreError, match="1 objects could not be taken back"):
        world.registry.register([task("a"), task("b")], version="v1", **PLACE)
    assert store.exists(layout.document_key(tsk("a", "v1")))
