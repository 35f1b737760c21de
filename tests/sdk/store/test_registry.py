"""The registry's protocol on a real S3 server."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from flytemp.errors import AlreadyExists
from flytemp.registry import Registry
from flytemp.registry.log import Snapshot
from flytemp.store.remote import RemoteStore
from tests.sdk.registry.documents import PLACE, task, tsk

ROUNDS = 5


def registered(store: RemoteStore, retries: int, version: str) -> bool:
    documents = [task("a", retries), task("b", retries)]
    try:
        Registry(store).register(documents, version=version, **PLACE)
    except AlreadyExists:
        return False
    return True


def test_one_of_two_concurrent_registrations_of_a_version_is_published(s3: RemoteStore) -> None:
    registry = Registry(s3)
    with ThreadPoolExecutor(2) as pool:
        for round_ in range(ROUNDS):
            version = f"v{round_}"
            outcomes = list(pool.map(lambda retries, version=version: registered(s3, retries, version), (1, 2)))
            assert sorted(outcomes) == [False, True]
            for name in ("a", "b"):
                document = registry.get(tsk(name, version))[1]
                assert document == task(name, 1 if outcomes[0] else 2)
                assert registry.latest(tsk(name)) == version
    snapshot = Snapshot.take(s3, "p", "d")
    assert (snapshot.newest, snapshot.incomplete) == (ROUNDS, None)
    assert registry.versions(tsk("a")) == [f"v{round_}" for round_ in reversed(range(ROUNDS))]
