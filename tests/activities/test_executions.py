"""Cache of what activities read of executions."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from flytemp_activities.executions import LruCache


def test_value_that_many_threads_need_is_created_once() -> None:
    cache: LruCache[str] = LruCache(2)
    entered, go = threading.Event(), threading.Event()
    created: list[str] = []

    def create() -> str:
        entered.set()
        go.wait()
        created.append("created")
        return "value"

    with ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(cache.get_or_create, "key", create) for _ in range(4)]
        entered.wait()
        assert cache.get_or_create("another", lambda: "other") == "other"  # another key does not wait
        go.set()
        assert [future.result() for future in asked] == ["value"] * 4
    assert created == ["created"]
    assert not cache._creating


def test_failed_creation_is_repeated() -> None:
    cache: LruCache[str] = LruCache(2)

    def fail() -> str:
        raise OSError("the store is away")

    with pytest.raises(OSError, match="away"):
        cache.get_or_create("key", fail)
    assert cache.get_or_create("key", lambda: "value") == "value"
    assert not cache._creating


def test_least_recently_used_value_makes_room() -> None:
    cache: LruCache[str] = LruCache(2)
    for key in ("a", "b", "a", "c"):
        cache.get_or_create(key, lambda key=key: key.upper())  # type: ignore[misc]
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == ("A", None, "C")
