"""Labels as a search attribute: none of them may stop a workflow task."""

from __future__ import annotations

import json

import pytest

from flytemp.protocol.search_attributes import searchable_labels


@pytest.mark.parametrize(
    ("labels", "kept"),
    [
        ({}, []),
        ({"team": "a", "run": "1"}, ["team", "run"]),
        ({"empty": ""}, ["empty"]),
        ({"long": "x" * 250, "short": "y"}, ["long", "short"]),
        ({"long": "x" * 251, "short": "y"}, ["short"]),
        ({"nul": "\0", "line": "a\nb", "short": "y"}, ["short"]),
        ({"wide": "ä" * 200}, ["wide"]),
    ],
)
def test_what_fits_is_kept_in_order(labels: dict[str, str], kept: list[str]) -> None:
    assert list(searchable_labels(labels)) == kept


@pytest.mark.parametrize("value", ["x" * 100, "ä" * 100, "🙂" * 100, '"' * 100])
def test_together_they_stay_under_what_the_server_takes(value: str) -> None:
    kept = searchable_labels({f"label-{number}": value for number in range(100)})
    assert kept
    assert len(json.dumps([f"{key}={value}" for key, value in kept.items()])) <= 2_048
