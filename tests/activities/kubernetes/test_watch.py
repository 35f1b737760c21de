"""What is known of one pod, as answers and events tell of it."""

from __future__ import annotations

from typing import Any

from flytemp_activities.kubernetes.watch import Feed


def pod(uid: str) -> dict[str, Any]:
    return {"metadata": {"namespace": "n", "name": "p", "uid": uid}}


def test_an_event_of_another_pod_of_the_name_is_not_its() -> None:
    feed = Feed()
    feed.see(pod("one"))
    feed.see(pod("other"))
    assert (feed.pod, feed.gone) == (pod("one"), False)


def test_when_another_has_its_name_now_it_is_gone() -> None:
    feed = Feed()
    feed.see(pod("one"))
    feed.see_now(pod("other"))
    assert (feed.pod, feed.gone) == (pod("one"), True)


def test_the_first_that_is_seen_is_the_pod() -> None:
    feed = Feed()
    feed.see_now(pod("one"))
    assert (feed.pod, feed.gone) == (pod("one"), False)
    feed.see_now(None)
    assert feed.gone
