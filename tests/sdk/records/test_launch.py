"""Launch requests as other programs write them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from flytemp.records.launch import LaunchOptions, LaunchRequest, project_and_domain, raw_data_uri


@pytest.mark.parametrize(
    ("workflow_id", "place"),
    [
        ("ex:shop:production:nightly", ("shop", "production")),
        ("ex:shop:production:a:b", ("default", "development")),
        ("ex:Shop:production:a", ("default", "development")),
        ("ex:../x:production:a", ("default", "development")),
        ("anything at all", ("default", "development")),
        ("", ("default", "development")),
    ],
)
def test_project_and_domain_of_a_workflow_id(workflow_id: str, place: tuple[str, str]) -> None:
    assert project_and_domain(workflow_id) == place


@pytest.mark.parametrize("prefix", ["s3://bucket/data", "s3://bucket/data/", "s3://bucket/data//"])
def test_raw_data_uri(prefix: str) -> None:
    assert raw_data_uri(prefix, "executions/default/key/run") == "s3://bucket/data/default/key/run"


@pytest.mark.parametrize(
    "options",
    [
        {"max_parallelism": 0},
        {"max_parallelism": 10**30},
        {"labels": {"a": "b"}, "annotations": {}, "interruptible": False, "overwrite_cache": True},
    ],
)
def test_valid_options(options: dict[str, Any]) -> None:
    request = LaunchRequest.model_validate({"launch_plan": "a", "options": options})
    assert request.options == LaunchOptions(**options)


@pytest.mark.parametrize("options", [{"max_parallelism": -1}, {"interruptible": "yes"}, {"labels": {1: "a"}}, {"x": 1}])
def test_invalid_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        LaunchRequest.model_validate({"launch_plan": "a", "options": options})
