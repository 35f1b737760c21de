"""A registration publishes all of its entities or none, wherever its process stops and whenever a reader looks."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from flytemp import layout
from flytemp.errors import AlreadyExists, NotFound, StoreError
from flytemp.names import EntityId, EntityKind
from flytemp.registry import Registry
from flytemp.registry.log import Snapshot
from flytemp.spec.canonical import AnyDocument
from flytemp.store import open_store
from flytemp.store.object_store import ObjectStore
from tests.sdk.registry.documents import PLACE, launch_plan, task, tsk, workflow
from tests.sdk.registry.stepped_store import Killed, SteppedStore, killed_at

OLD = [task("a", retries=1), task("b", retries=1), workflow("w"), launch_plan("w")]
NEW = [task("a", retries=2), task("b", retries=2), task("only-new"), workflow("w"), launch_plan("w")]
ENTITIES = [
    tsk("a"),
    tsk("b"),
    tsk("only-new"),
    EntityId(EntityKind.WORKFLOW, "p", "d", "w"),
    EntityId(EntityKind.LAUNCH_PLAN, "p", "d", "w"),
]
NOTHING = dict.fromkeys(ENTITIES)
ALL_OLD = dict.fromkeys(ENTITIES, "old") | {tsk("only-new"): None}
ALL_NEW = dict.fromkeys(ENTITIES, "new")


@pytest.fixture(params=["file", "memory"])
def new_store(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], ObjectStore]:
    """Opens an empty store at each call."""
    names = itertools.count()
    root = str(tmp_path) if request.param == "file" else f"memory://{tmp_path.name}-{id(request)}"
    return lambda: open_store(f"{root}/{next(names)}")


@pytest.fixture
def store(new_store: Callable[[], ObjectStore]) -> ObjectStore:
    return new_store()


def register(store: ObjectStore, documents: list[AnyDocument], version: str) -> list[str]:
    return [entry.status for entry in Registry(store).register(documents, version=version, **PLACE)]


def latest(store: ObjectStore) -> dict[EntityId, str | None]:
    """The latest version of every entity by `latest`; `get`, `versions` and `list` agree with it."""
    registry = Registry(store)
    found = {entity: _or_none(lambda entity=entity: registry.latest(entity)) for entity in ENTITIES}
    assert found == {entity: _or_none(lambda entity=entity: registry.get(entity)[0].version) for entity in ENTITIES}
    assert found == {entity: _or_none(lambda entity=entity: registry.versions(entity)[0]) for entity in ENTITIES}
    listed = {
        replace(summary.entity, version=None): summary.version for kind in EntityKind for summary in registry.list(kind, "p", "d")
    }
    assert listed == {entity: version for entity, version in found.items() if version is not None}
    return found


def with_version(store: ObjectStore, version: str) -> set[EntityId]:
    """The entities of which `get` returns this version."""
    registry = Registry(store)
    return {entity for entity in ENTITIES if _or_none(lambda entity=entity: registry.get(replace(entity, version=version)))}


def _or_none(call: Callable[[], object]) -> object:
    try:
        return call()
    except NotFound:
        return None


def is_indexed(store: ObjectStore) -> bool:
    return Snapshot.take(store, "p", "d").incomplete is None


def operations(store: ObjectStore, documents: list[AnyDocument]) -> list[str]:
    """The operations of a registration that is not disturbed."""
    stepped = SteppedStore(store)
    register(stepped, documents, "probe")
    return stepped.operations


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("earlier", [NOTHING, ALL_OLD], ids=["empty registry", "earlier registration"])
def test_killed_process_leaves_all_or_nothing(
    new_store: Callable[[], ObjectStore], earlier: dict[EntityId, str | None], when: str
) -> None:
    outcomes = []
    for number in range(len(operations(new_store(), NEW))):
        store = new_store()
        if earlier == ALL_OLD:
            register(store, OLD, "old")
        with pytest.raises(Killed):
            register(killed_at(store, number, when), NEW, "new")
        found = latest(store)
        assert found in (earlier, ALL_NEW)
        assert with_version(store, "new") == (set(ENTITIES) if found == ALL_NEW else set())
        again = register(store, NEW, "new")
        assert set(again) == ({"unchanged"} if found == ALL_NEW else {"new"})
        assert latest(store) == ALL_NEW
        assert is_indexed(store)
        assert all(store.exists(layout.document_key(replace(entity, version="new"))) for entity in ENTITIES)
        outcomes.append(found == ALL_NEW)
    assert outcomes == sorted(outcomes)
    assert set(outcomes) == {False, True}


def test_readers_see_all_or_nothing_at_every_step(store: ObjectStore) -> None:
    register(store, OLD, "old")
    seen: list[dict[EntityId, str | None]] = []
    stepped = SteppedStore(store, before=lambda number: seen.append(latest(store)))
    register(stepped, NEW, "new")
    flip = seen.index(ALL_NEW)
    assert seen == [ALL_OLD] * flip + [ALL_NEW] * (len(seen) - flip)
    assert 0 < flip < len(seen)
    created = stepped.operations[flip - 1]
    assert created == f"create {layout.registration_key('p', 'd', 2)}"


def test_list_is_consistent_during_a_registration(store: ObjectStore) -> None:
    register(store, OLD, "old")
    listings = []
    for number in range(12):

        def publish(current: int, number: int = number) -> None:
            if current == number:
                register(store, [task("a", retries=number), task("b", retries=number)], f"v{number}")

        stepped = SteppedStore(store, before=publish)
        listings.append({summary.version for summary in Registry(stepped).list(EntityKind.TASK, "p", "d")})
    assert all(len(versions) == 1 for versions in listings)


def test_killed_registration_does_not_block_other_content_of_its_version(store: ObjectStore) -> None:
    with pytest.raises(Killed):
        register(killed_at(store, _commit_number(store, OLD), "before"), OLD, "v")
    assert set(register(store, NEW, "v")) == {"new"}


def test_next_registration_completes_the_index_of_a_killed_one(store: ObjectStore) -> None:
    with pytest.raises(Killed):
        register(killed_at(store, _commit_number(store, OLD), "after"), OLD, "old")
    assert not is_indexed(store)
    assert latest(store) == ALL_OLD
    assert register(store, [task("only-new")], "new") == ["new"]
    assert is_indexed(store)
    assert latest(store) == ALL_OLD | {tsk("only-new"): "new"}


def test_repeated_registration_after_a_kill_takes_no_more_requests_than_another_one(store: ObjectStore) -> None:
    with pytest.raises(Killed):
        register(killed_at(store, _commit_number(store, OLD), "after"), OLD, "old")
    repeated = SteppedStore(store)
    register(repeated, OLD, "old")
    assert len(repeated.operations) <= len(operations(open_store(f"memory://requests-{next(_probes)}"), OLD)) + len(OLD)


def test_published_content_of_a_killed_registration_is_a_conflict(store: ObjectStore) -> None:
    with pytest.raises(Killed):
        register(killed_at(store, _commit_number(store, OLD), "after"), OLD, "v")
    with pytest.raises(AlreadyExists):
        register(store, NEW, "v")
    assert Registry(store).versions(tsk("a")) == ["v"]


def _commit_number(store: ObjectStore, documents: list[AnyDocument]) -> int:
    """The number of the operation that publishes, in a store that is empty."""
    done = operations(open_store(f"memory://probe-{id(store)}-{len(documents)}-{next(_probes)}"), documents)
    return next(n for n, operation in enumerate(done) if operation.startswith("create"))


_probes = itertools.count()


def test_registration_that_lost_the_number_to_another_one_takes_the_next(store: ObjectStore) -> None:
    def other_first(number: int) -> None:
        if number == commit:
            register(store, [task("only-new")], "new")

    commit = _commit_number(store, OLD)
    assert set(register(SteppedStore(store, before=other_first), OLD, "old")) == {"new"}
    assert latest(store) == ALL_OLD | {tsk("only-new"): "new"}
    assert Snapshot.take(store, "p", "d").newest == 2


def test_registration_is_refused_if_other_content_is_published_first(store: ObjectStore) -> None:
    def other_first(number: int) -> None:
        if number == commit:
            register(store, [task("b", retries=9)], "v")

    commit = _commit_number(store, OLD)
    with pytest.raises(AlreadyExists):
        register(SteppedStore(store, before=other_first), OLD, "v")
    assert with_version(store, "v") == {tsk("b")}


def test_lost_answer_to_the_publishing_request_is_recognised(store: ObjectStore) -> None:
    """The request is repeated, and refused because of the first one."""

    class Repeating(SteppedStore):
        def create(self, key: str, data: bytes) -> bool:
            super().create(key, data)
            return super().create(key, data)

    assert set(register(Repeating(store), OLD, "old")) == {"new"}
    assert latest(store) == ALL_OLD
    assert Snapshot.take(store, "p", "d").newest == 1


def test_slow_process_writes_its_index_after_later_registrations(store: ObjectStore) -> None:
    def others_meanwhile(number: int) -> None:
        if number == commit:
            register(store, NEW, "new")

    commit = _commit_number(store, OLD)
    register(SteppedStore(store, after=others_meanwhile), OLD, "old")
    assert latest(store) == ALL_NEW
    assert is_indexed(store)
    assert Registry(store).versions(tsk("a")) == ["new", "old"]


def test_documents_are_removed_from_the_record_of_an_indexed_registration(store: ObjectStore) -> None:
    register(store, OLD, "old")
    record = store.read(layout.registration_key("p", "d", 1)).decode()
    assert "loader" not in record
    assert all(str(replace(entity, version="old")) in record for entity in ENTITIES if entity.name != "only-new")


def test_refusing_store_leaves_all_or_nothing(new_store: Callable[[], ObjectStore]) -> None:
    for number in range(len(operations(new_store(), OLD))):

        def refuse(current: int, number: int = number) -> None:
            if current >= number:
                raise StoreError("the disk is full")

        store = new_store()
        try:
            register(SteppedStore(store, before=refuse), OLD, "old")
        except StoreError:
            assert latest(store) == NOTHING
        else:
            assert latest(store) == ALL_OLD
        register(store, OLD, "old")
        assert latest(store) == ALL_OLD
        assert is_indexed(store)
