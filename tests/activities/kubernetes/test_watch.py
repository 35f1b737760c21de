"""What is known of one pod, as answers and events tell of it."""

from __future__ import annotations

from typing import Any

import pytest

from flytemp_activities.kubernetes import watch
from flytemp_activities.kubernetes.watch import NewPods, PodSubscription


def pod(uid: str, name: str = "p") -> dict[str, Any]:
    return {"metadata": {"namespace": "n", "name": name, "uid": uid}}


def test_an_event_of_another_pod_of_the_name_is_not_its() -> None:
    feed = PodSubscription()
    feed.update(pod("one"))
    feed.update(pod("other"))
    assert (feed.pod, feed.gone) == (pod("one"), False)


def test_when_another_has_its_name_now_it_is_gone() -> None:
    feed = PodSubscription()
    feed.update(pod("one"))
    feed.replace(pod("other"))
    assert (feed.pod, feed.gone) == (pod("one"), True)


def test_the_first_that_is_seen_is_the_pod() -> None:
    feed = PodSubscription()
    feed.replace(pod("one"))
    assert (feed.pod, feed.gone) == (pod("one"), False)
    feed.replace(None)
    assert feed.gone


def test_a_new_pod_is_remembered_as_it_was_last_seen() -> None:
    new = NewPods()
    new.apply("MODIFIED", pod("old", "other"))
    new.apply("ADDED", pod("one"))
    new.apply("MODIFIED", later := {**pod("one"), "status": {"phase": "Running"}})
    assert new.pop(("n", "other")) is None, "it is not new"
    assert new.pop(("n", "p")) == later
    assert new.pop(("n", "p")) is None, "it is followed now"


def test_a_new_pod_that_is_gone_is_forgotten() -> None:
    new = NewPods()
    new.apply("ADDED", pod("one"))
    new.apply("DELETED", pod("one"))
    assert new.pop(("n", "p")) is None
    new.apply("ADDED", pod("one"))
    new.clear()
    assert new.pop(("n", "p")) is None


def test_only_the_newest_are_remembered_and_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "MOST_NEW", 2)
    new = NewPods()
    for name in "abc":
        new.apply("ADDED", pod(name, name))
    assert [new.pop(("n", name)) is not None for name in "abc"] == [False, True, True]
    new.apply("ADDED", pod("one"))
    monkeypatch.setattr(watch, "NEW_SECONDS", -1.0)
    assert new.pop(("n", "p")) is None
