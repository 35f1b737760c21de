"""What activities know of executions is read once, however many ask for it at the same time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from flytemp_activities.executions import LruCache


def test_what_many_want_at_once_is_made_once() -> None:
    recent: LruCache[str] = LruCache(2)
    entered, go = threading.Event(), threading.Event()
    made: list[str] = []

    def make() -> str:
        entered.set()
        go.wait()
        made.append("made")
        return "value"

    with ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(recent.find, "key", make) for _ in range(4)]
        entered.wait()
        assert recent.find("another", lambda: "other") == "other"  # nobody waits for what is made for somebody else
        go.set()
        assert [future.result() for future in asked] == ["value"] * 4
    assert made == ["made"]
    assert not recent._making


def test_what_could_not_be_made_is_tried_again() -> None:
    recent: LruCache[str] = LruCache(2)

    def fail() -> str:
        raise OSError("the store is away")

    with pytest.raises(OSError, match="away"):
        recent.find("key", fail)
    assert recent.find("key", lambda: "value") == "value"
    assert not recent._making


def test_the_oldest_goes() -> None:
    recent: LruCache[str] = LruCache(2)
    for key in ("a", "b", "a", "c"):
        recent.find(key, lambda key=key: key.upper())  # type: ignore[misc]
    assert (recent.get("a"), recent.get("b"), recent.get("c")) == ("A", None, "C")
