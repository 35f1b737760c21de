"""Lists of a folder page by page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flytemp.store.s3_listing import first_names

# Characters around "/" in the order of bytes, where a folder and a longer name change places.
_STEMS = ("a", "a!", "a-", "a.", "a0", "aé", "b", "b-1")
_KEYS = st.sets(st.sampled_from([*_STEMS, *(f"{stem}/x" for stem in _STEMS)]))


class Server:
    """Answers list_objects_v2 for keys below "folder/": as Amazon, by key, or as SeaweedFS, by name.

    Attributes:
        largest: the most entries that it gives at once, whatever it is asked for.
    """

    def __init__(self, keys: set[str], order: Callable[[str], str], largest: int) -> None:
        entries = {name if "/" not in name else name[: name.index("/") + 1] for name in keys}
        self._entries = sorted(entries, key=order)
        self.largest = largest
        self.requests = 0

    def call_s3(self, method: str, **request: Any) -> dict[str, Any]:
        assert method == "list_objects_v2"
        assert (request["Bucket"], request["Prefix"], request["Delimiter"]) == ("bucket", "folder/", "/")
        self.requests += 1
        start = int(request.get("ContinuationToken", "0"))
        end = start + min(self.largest, request["MaxKeys"])
        page = self._entries[start:end]
        answer: dict[str, Any] = {"IsTruncated": end < len(self._entries)}
        if end < len(self._entries):
            answer["NextContinuationToken"] = str(end)
        if objects := [{"Key": f"folder/{entry}"} for entry in page if not entry.endswith("/")]:
            answer["Contents"] = objects
        if folders := [{"Prefix": f"folder/{entry}"} for entry in page if entry.endswith("/")]:
            answer["CommonPrefixes"] = folders
        return answer


def by_key(entry: str) -> str:
    return entry


def by_name(entry: str) -> str:
    return entry.rstrip("/")


@pytest.mark.parametrize("order", [by_key, by_name])
@given(keys=_KEYS, limit=st.one_of(st.none(), st.integers(0, 6)), largest=st.integers(1, 6))
def test_first_names_are_the_smallest(order: Callable[[str], str], keys: set[str], limit: int | None, largest: int) -> None:
    names = sorted({key.partition("/")[0] for key in keys})
    assert first_names(Server(keys, order, largest), "bucket/folder", limit) == (names if limit is None else names[:limit])


def test_folder_after_names_with_its_prefix() -> None:
    keys = {"a!", "a-1", "a-2", "a/x", "b"}
    assert first_names(Server(keys, by_key, 2), "bucket/folder", 1) == ["a"]


def test_only_required_pages_are_read() -> None:
    server = Server({f"{number:05}" for number in range(5_000)}, by_key, 1_000)
    assert first_names(server, "bucket/folder", 3) == ["00000", "00001", "00002"]
    assert server.requests == 1


def test_marker_object_of_the_folder_is_not_listed() -> None:
    class Marked:
        def call_s3(self, method: str, **request: Any) -> dict[str, Any]:
            return {"IsTruncated": False, "Contents": [{"Key": "folder/"}, {"Key": "folder/a"}]}

    assert first_names(Marked(), "bucket/folder", None) == ["a"]
