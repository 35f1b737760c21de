"""Registering, getting and listing entities, and the errors of each."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flytemp import layout
from flytemp.errors import AlreadyExists, CorruptData, InputError, InvalidName, NotFound, StoreError
from flytemp.names import EntityId, EntityKind
from flytemp.registry import Registry
from flytemp.spec.models import SourceLocation, TaskDocument
from flytemp.store import open_store
from flytemp.store.object_store import ObjectStore
from tests.messages.golden import Case, check_golden, unlocated
from tests.sdk.registry.documents import PLACE, launch_plan, task, tsk, workflow


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "file":
        return open_store(str(tmp_path / "store"))
    return open_store(f"memory://{tmp_path.name}-{id(request)}")


@pytest.fixture
def registry(store: ObjectStore) -> Registry:
    return Registry(store)


@pytest.fixture
def local(tmp_path: Path) -> Registry:
    return Registry(open_store(str(tmp_path / "store")))


def statuses(entries: list[Any]) -> list[tuple[str, str]]:
    return [(entry.entity.name, entry.status) for entry in entries]


# --------------------------------------------------------------------------------------------- register


def test_registered_documents_are_read_back(registry: Registry) -> None:
    documents = [workflow("wf"), task("t", retries=2), launch_plan("wf")]
    entries = registry.register(documents, version="v1", **PLACE)
    assert [str(entry.entity) for entry in entries] == ["wf:p:d:wf:v1", "tsk:p:d:t:v1", "lp:p:d:wf:v1"]
    assert {entry.status for entry in entries} == {"new"}
    for entry, document in zip(entries, documents, strict=True):
        assert registry.get(entry.entity) == (entry.entity, document)


@pytest.mark.parametrize("name", ["nightly report (EU)", "team/daily 100%", "Größe", "a~b+c=d?#*", "a.b-c_d"])
def test_names_with_special_characters(name: str, registry: Registry) -> None:
    (entry,) = registry.register([launch_plan(name)], version="v1", **PLACE)
    assert EntityId.parse(str(entry.entity)) == entry.entity
    assert [summary.name for summary in registry.list(EntityKind.LAUNCH_PLAN, "p", "d")] == [name]
    found, document = registry.get(EntityId(EntityKind.LAUNCH_PLAN, "p", "d", name))
    assert (found, document.name) == (entry.entity, name)


TOO_LONG = ["x" * 256, f"a{' ' * 90}b"]


@pytest.mark.parametrize("name", ["", " a", "a ", "a:b", "../a", "a\\b", "a\nb", "a\x1b[0m", "-a", "a.", *TOO_LONG])
def test_names_that_are_not_valid(name: str) -> None:
    with pytest.raises(InvalidName):
        EntityId(EntityKind.LAUNCH_PLAN, "p", "d", name)


def test_same_content_again_changes_nothing(registry: Registry) -> None:
    registry.register([task("t", line=1)], version="v1", **PLACE)
    again = registry.register([task("t", line=99)], version="v1", **PLACE)
    assert statuses(again) == [("t", "unchanged")]
    assert len(registry.store.list(layout.latest_folder(tsk("t")))) == 1
    document = registry.get(tsk("t"))[1]
    assert isinstance(document, TaskDocument)
    assert document.task.location == SourceLocation(file="m.py", line=1)


def test_other_content_under_the_same_version_is_refused_with_the_difference(registry: Registry) -> None:
    registry.register([task("t", retries=1)], version="v1", **PLACE)
    with pytest.raises(AlreadyExists) as caught:
        registry.register([task("t", retries=2), task("new")], version="v1", **PLACE)
    assert "tsk:p:d:t:v1" in str(caught.value)
    assert caught.value.hint
    with pytest.raises(NotFound):
        registry.get(tsk("new", "v1"))


def test_every_conflict_is_reported(registry: Registry) -> None:
    registry.register([task(f"t{number}", retries=1) for number in range(8)], version="v1", **PLACE)
    with pytest.raises(AlreadyExists) as caught:
        registry.register([task(f"t{number}", retries=2) for number in range(8)], version="v1", **PLACE)
    assert all(f"tsk:p:d:t{number}:v1" in str(caught.value) for number in range(8))


def test_other_code_is_other_content(registry: Registry) -> None:
    registry.register([task("t")], version="v1", **PLACE)
    with pytest.raises(AlreadyExists, match="/bundle/digest"):
        registry.register([task("t", digest="1" * 64)], version="v1", **PLACE)


def test_preview_reports_statuses_and_writes_nothing(registry: Registry) -> None:
    registry.register([task("same"), task("other", retries=1)], version="v1", **PLACE)
    entries = registry.preview([task("fresh"), task("other", retries=2), task("same")], version="v1", **PLACE)
    assert statuses(entries) == [("fresh", "new"), ("other", "conflict"), ("same", "unchanged")]
    assert entries[1].diff == "/task/settings/retries/count:\n\t- 1\n\t+ 2"
    with pytest.raises(NotFound):
        registry.get(tsk("fresh", "v1"))


def test_equal_documents_are_registered_once(registry: Registry) -> None:
    assert statuses(registry.register([task("t"), task("t")], version="v1", **PLACE)) == [("t", "new")]


def test_different_documents_of_one_name_are_refused(registry: Registry) -> None:
    with pytest.raises(InputError, match="'t'"):
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
def test_invalid_names_are_refused(registry: Registry, name: str, project: str, domain: str, version: str) -> None:
    with pytest.raises(InvalidName):
        registry.register([task(name)], project=project, domain=domain, version=version)


def test_invalid_version_is_refused_without_documents(registry: Registry) -> None:
    with pytest.raises(InvalidName):
        registry.register([], version="no/version", **PLACE)


# ---------------------------------------------------------------------------------------- get and list


def test_latest_is_the_version_registered_last(registry: Registry) -> None:
    for version in ("v3", "v2", "v1"):
        registry.register([task("t", retries=int(version[1]))], version=version, **PLACE)
    assert registry.latest(tsk("t")) == "v1"
    assert registry.get(tsk("t"))[0] == tsk("t", "v1")
    assert registry.versions(tsk("t")) == ["v1", "v2", "v3"]
    assert registry.get(tsk("t", "v3"))[1] == task("t", retries=3)


def test_version_registered_again_is_the_latest_again(registry: Registry) -> None:
    for version in ("v1", "v2", "v1"):
        entries = registry.register([task("t", retries=int(version[1]))], version=version, **PLACE)
    assert statuses(entries) == [("t", "unchanged")]
    assert registry.latest(tsk("t")) == "v1"
    assert registry.versions(tsk("t")) == ["v1", "v2"]


def test_clocks_do_not_decide_the_latest(store: ObjectStore) -> None:
    for version, seconds in (("v1", 3000.0), ("v2", 1000.0), ("v3", 2000.0)):
        Registry(store, clock=lambda: seconds).register([task("t")], version=version, **PLACE)  # noqa: B023
    assert Registry(store).versions(tsk("t")) == ["v3", "v2", "v1"]


def test_registration_has_the_time_of_its_client(registry: Registry) -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    registry.register([task("t")], version="v1", **PLACE)
    summary = registry.list(EntityKind.TASK, "p", "d")[0]
    assert before <= summary.registered_at <= datetime.now(UTC)


def test_list_shows_the_latest_version_of_each_name(store: ObjectStore) -> None:
    first, second = (Registry(store, clock=lambda at=at: at) for at in (1.0, 2.0))
    first.register([task("b"), task("a"), workflow("w")], version="v1", **PLACE)
    second.register([task("b", retries=1)], version="v2-x-y", **PLACE)
    second.register([task("elsewhere")], project="p", domain="other", version="v1")
    found = [(item.name, item.version, item.registered_at) for item in first.list(EntityKind.TASK, "p", "d")]
    assert found == [
        ("a", "v1", datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)),
        ("b", "v2-x-y", datetime(1970, 1, 1, 0, 0, 2, tzinfo=UTC)),
    ]
    assert first.list(EntityKind.LAUNCH_PLAN, "p", "d") == []


def test_other_programs_files_in_the_registry_are_ignored(store: ObjectStore) -> None:
    Registry(store).register([task("t")], version="v1", **PLACE)
    for folder in (layout.registrations_folder("p", "d"), layout.latest_folder(tsk("t"))):
        store.create(f"{folder}/.DS_Store", b"")
    Registry(store).register([task("t", retries=1)], version="v2", **PLACE)
    assert Registry(store).versions(tsk("t")) == ["v2", "v1"]
    assert Registry(store).latest(tsk("t")) == "v2"


@pytest.mark.parametrize("name", ["99999999999999-0-..", "99999999999999-99999999999999999999-v9", "99999999999999--1-v9"])
def test_damaged_names_in_the_index_are_ignored(registry: Registry, name: str) -> None:
    registry.register([task("t")], version="v1", **PLACE)
    registry.store.create(f"{layout.latest_folder(tsk('t'))}/{name}", b"")
    assert [summary.version for summary in registry.list(EntityKind.TASK, "p", "d")] == ["v1"]
    assert registry.versions(tsk("t")) == ["v1"]


@pytest.mark.parametrize(
    "changes", [{"version": None}, {"registered_ms": 10**30}, {"entities": ["nothing"]}, {"documents": {"tsk:p:d:../x:v1": ""}}]
)
def test_damaged_record_of_the_newest_registration(registry: Registry, changes: dict[str, Any]) -> None:
    registry.register([task("t")], version="v1", **PLACE)
    registry.store.delete(layout.indexed_key("p", "d", 1))
    key = layout.registration_key("p", "d", 1)
    registry.store.write(key, json.dumps(json.loads(registry.store.read(key)) | changes).encode())
    with pytest.raises(CorruptData) as caught:
        registry.list(EntityKind.TASK, "p", "d")
    assert registry.store.uri_of(layout.registration_key("p", "d", 1)) in str(caught.value)


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        ("train_modle", "did you mean 'pipelines.ml.train_model'?"),
        ("train_model", "did you mean 'pipelines.ml.train_model'?"),
        ("pipelines.ml.train_mode", "did you mean 'pipelines.ml.train_model'?"),
        ("quite_different", "`flytemp list` shows the 2 registered tasks"),
    ],
)
def test_unknown_name_is_reported_with_similar_names(registry: Registry, asked: str, hint: str) -> None:
    registry.register([task("pipelines.ml.train_model"), task("other.load")], version="v1", **PLACE)
    for call in (registry.get, registry.latest, registry.versions):
        with pytest.raises(NotFound, match=f"'{asked}'") as caught:
            call(tsk(asked))
        assert caught.value.hint == hint


def test_unknown_version_is_reported_with_similar_versions(registry: Registry) -> None:
    for number in range(3):
        registry.register([task("t", retries=number)], version=f"1.{number}", **PLACE)
    with pytest.raises(NotFound, match=r"'t'.*'1\.9'") as caught:
        registry.get(tsk("t", "1.9"))
    assert caught.value.hint == "did you mean '1.2' or '1.1' or '1.0'? The latest is '1.2'"


def test_empty_registry_is_reported(registry: Registry) -> None:
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


def _sealed(data: bytes) -> bytes:
    """Stored form of a damaged document whose digest is right."""
    return b'{"sha256":"%s","document":%s}' % (hashlib.sha256(data).hexdigest().encode(), data)


def _document(registry: Registry, key: str) -> Any:
    return json.loads(registry.store.read(key))["document"]


DAMAGES: dict[str, Callable[[Any], bytes]] = {
    "empty": lambda value: b"",
    "cut off": lambda value: json.dumps(value).encode()[:1],
    "no text": lambda value: b"\xff\xfe\xff",
    "a list": lambda value: b"[]",
    "a value of another type": lambda value: _change(value, ["task", "loader"], 5),
    "unknown field": lambda value: _change(value, ["task", "surprise"], 5),
    "unknown kind": lambda value: _change(value, ["kind"], "unknown"),
    "newer schema version": lambda value: _change(value, ["schema_version"], 2),
    "another task": lambda value: _change(value, ["task", "name"], "u"),
}


def test_texts_of_errors(tmp_path: Path) -> None:
    registry = Registry(open_store(str(tmp_path)))
    registry.register([task(f"t{number}", retries=1) for number in range(8)], version="v1", **PLACE)
    key = layout.document_key(tsk("t0", "v1"))
    value = _document(registry, key)

    def register(*documents: TaskDocument) -> Case:
        return unlocated(lambda: registry.register(documents, version="v1", **PLACE))

    def damaged(damage: Callable[[Any], bytes]) -> Case:
        def get() -> object:
            registry.store.write(key, _sealed(damage(json.loads(json.dumps(value)))))
            return registry.get(tsk("t0", "v1"))

        return unlocated(get)

    def changed() -> object:
        registry.store.write(key, _sealed(json.dumps(value).encode()).replace(b":t0", b":t1"))
        return registry.get(tsk("t0", "v1"))

    def without_digest() -> object:
        registry.store.write(key, json.dumps(value).encode())
        return registry.get(tsk("t0", "v1"))

    cases = {
        "other content": register(task("t1", retries=2)),
        "other code": register(task("t1", retries=1, digest="1" * 64)),
        "many conflicts": register(*(task(f"t{number}", retries=2) for number in range(8))),
        "two tasks of one name": register(task("t"), task("t", retries=1)),
        "unknown name": unlocated(lambda: registry.get(tsk("quite_different"))),
        "unknown version": unlocated(lambda: registry.get(tsk("t1", "v2"))),
        **{f"damaged document: {name}": damaged(damage) for name, damage in DAMAGES.items()},
        "changed document": unlocated(changed),
        "document without a digest": unlocated(without_digest),
    }
    check_golden("registry", cases, {registry.store.uri: "STORE"})


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
@pytest.mark.parametrize(
    "use",
    [
        lambda registry: registry.get(tsk("t")),
        lambda registry: registry.preview([task("t")], version="v1", **PLACE),
        lambda registry: registry.register([task("a"), task("t")], version="v1", **PLACE),
    ],
    ids=["get", "preview", "register"],
)
def test_damaged_document_is_reported(
    registry: Registry, damage: Callable[[Any], bytes], use: Callable[[Registry], object]
) -> None:
    registry.register([task("t")], version="v1", **PLACE)
    key = layout.document_key(tsk("t", "v1"))
    registry.store.write(key, _sealed(damage(_document(registry, key))))
    with pytest.raises(CorruptData) as caught:
        use(registry)
    assert registry.store.uri_of(key) in str(caught.value)
    assert caught.value.hint
    assert not registry.store.exists(layout.document_key(tsk("a", "v1")))


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.replace(b'"loader":"', b'"loader":"evil.'),
        lambda data: data.replace(b'"document":{', b'"document":{ '),
        lambda data: data[:-1],
        lambda data: data + b" ",
        lambda data: data[len(b'{"sha256":"') + 64 + len(b'","document":') : -1],
        lambda data: b"",
    ],
    ids=["loader", "white space", "cut off", "longer", "without its digest", "empty"],
)
@pytest.mark.parametrize("is_indexed", [True, False], ids=["document", "record"])
def test_document_is_compared_with_its_digest(
    registry: Registry, change: Callable[[bytes], bytes], is_indexed: bool
) -> None:
    registry.register([task("t")], version="v1", **PLACE)
    key = layout.document_key(tsk("t", "v1"))
    stored = registry.store.read(key)
    assert change(stored) != stored
    if is_indexed:
        registry.store.write(key, change(stored))
    else:  # the state after a kill: the document is in the record of its registration only
        registry.store.delete(key)
        registry.store.delete(layout.indexed_key("p", "d", 1))
        place = layout.registration_key("p", "d", 1)
        record = json.loads(registry.store.read(place)) | {"documents": {str(tsk("t", "v1")): change(stored).decode()}}
        registry.store.write(place, json.dumps(record).encode())
    with pytest.raises(CorruptData) as caught:
        registry.get(tsk("t", "v1"))
    assert registry.store.uri_of(key) in str(caught.value)


@pytest.mark.parametrize("name", [".DS_Store", "a b", "%zz", "%2e%2e", "a:b", "~copy"])
def test_files_of_other_programs_do_not_break_the_list(registry: Registry, name: str) -> None:
    registry.register([task("t")], version="v1", **PLACE)
    registry.store.write(f"{layout.entity_folder(EntityKind.TASK, 'p', 'd')}/{name}", b"")
    registry.store.write(f"{layout.latest_folder(tsk('t'))}/{name}", b"")
    assert [summary.name for summary in registry.list(EntityKind.TASK, "p", "d")] == ["t"]
    assert registry.versions(tsk("t")) == ["v1"]
    with pytest.raises(NotFound):
        registry.get(tsk("u"))


def test_latest_version_without_document_is_not_found(registry: Registry) -> None:
    registry.register([task("t")], version="v1", **PLACE)
    registry.store.delete(layout.document_key(tsk("t", "v1")))
    with pytest.raises(NotFound):
        registry.get(tsk("t"))


# ---------------------------------------------------------------------------------- a store that refuses


def _files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_store_that_refuses_to_publish_is_left_as_it_was(
    local: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    local.register([task("before")], version="v1", **PLACE)
    before = _files(tmp_path)

    def link(source: str, target: str) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", link)
    documents = [task("a"), task("b"), workflow("w"), launch_plan("w")]
    with pytest.raises(StoreError) as caught:
        local.register(documents, version="v1", **PLACE)
    monkeypatch.undo()
    assert os.strerror(number) in caught.value.message
    assert caught.value.hint
    assert _files(tmp_path) == before
    assert {entry.status for entry in local.register(documents, version="v1", **PLACE)} == {"new"}


def test_store_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    registry = Registry(open_store(str(tmp_path / "file" / "store")))
    with pytest.raises(StoreError) as caught:
        registry.register([task("a")], version="v1", **PLACE)
    assert caught.value.hint
