"""State of a subscribed pod after responses and events."""

from __future__ import annotations

from typing import Any

import pytest

from flytemp_activities.kubernetes import watch
from flytemp_activities.kubernetes.watch import NewPods, PodSubscription


def pod(uid: str, name: str = "p") -> dict[str, Any]:
    return {"metadata": {"namespace": "n", "name": name, "uid": uid}}


def test_event_of_another_pod_with_the_name_is_ignored() -> None:
    feed = PodSubscription()
    feed.update(pod("one"))
    feed.update(pod("other"))
    assert (feed.pod, feed.gone) == (pod("one"), False)


def test_pod_is_gone_when_another_has_its_name() -> None:
    feed = PodSubscription()
    feed.update(pod("one"))
    feed.replace(pod("other"))
    assert (feed.pod, feed.gone) == (pod("one"), True)


def test_first_observed_pod_is_the_subscribed_one() -> None:
    feed = PodSubscription()
    feed.replace(pod("one"))
    assert (feed.pod, feed.gone) == (pod("one"), False)
    feed.replace(None)
    assert feed.gone


def test_new_pod_is_kept_in_its_last_state() -> None:
    new = NewPods()
    new.apply("MODIFIED", pod("old", "other"))
    new.apply("ADDED", pod("one"))
    new.apply("MODIFIED", later := {**pod("one"), "status": {"phase": "Running"}})
    assert new.pop(("n", "other")) is None, "it is not new"
    assert new.pop(("n", "p")) == later
    assert new.pop(("n", "p")) is None, "it is followed now"


def test_deleted_new_pod_is_removed() -> None:
    new = NewPods()
    new.apply("ADDED", pod("one"))
    new.apply("DELETED", pod("one"))
    assert new.pop(("n", "p")) is None
    new.apply("ADDED", pod("one"))
    new.clear()
    assert new.pop(("n", "p")) is None


def test_number_and_age_of_new_pods_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "MOST_NEW", 2)
    new = NewPods()
    for name in "abc":
        new.apply("ADDED", pod(name, name))
    assert [new.pop(("n", name)) is not None for name in "abc"] == [False, True, True]
    new.apply("ADDED", pod("one"))
    monkeypatch.setattr(watch, "NEW_SECONDS", -1.0)
    assert new.pop(("n", "p")) is None
