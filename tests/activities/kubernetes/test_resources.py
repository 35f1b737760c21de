"""Resources of a container within the operator's limits."""

from __future__ import annotations

from typing import Any

import pytest

from flytemp.spec.models import AcceleratorSpec, ResourceAmounts, ResourceSpec, TaskSettings
from flytemp_activities.kubernetes.policy import Accelerators, Memory, Policy
from flytemp_activities.kubernetes.resources import accelerator_terms, accelerator_tolerations, grant

DEFAULTS = ResourceAmounts(cpu="1", memory="1Gi")


def granted(
    requests: dict[str, str] | None = None, limits: dict[str, str] | None = None, *, most: dict[str, str] | None = None,
    policy: Policy | None = None, out_of_memory: int = 0, **settings: Any,
) -> tuple[dict[str, str], dict[str, str], list[str]]:  # fmt: skip
    stated = ResourceSpec(requests=ResourceAmounts(**(requests or {})), limits=ResourceAmounts(**(limits or {})))
    found = grant(
        TaskSettings(resources=stated, **settings), policy or Policy(), DEFAULTS, ResourceAmounts(**(most or {})), out_of_memory
    )
    return found.resources["requests"], found.resources["limits"], found.notes


@pytest.mark.parametrize(
    ("requests", "limits", "expected"),
    [
        ({}, {}, ({"cpu": "1", "memory": "1Gi"}, {"cpu": "1", "memory": "1Gi"})),
        ({"cpu": "500m"}, {}, ({"cpu": "500m", "memory": "1Gi"}, {"cpu": "500m", "memory": "1Gi"})),
        ({}, {"memory": "2Gi"}, ({"cpu": "1", "memory": "2Gi"}, {"cpu": "1", "memory": "2Gi"})),
        ({"cpu": "1"}, {"cpu": "2"}, ({"cpu": "1", "memory": "1Gi"}, {"cpu": "2", "memory": "1Gi"})),
        ({"cpu": "4"}, {"cpu": "2"}, ({"cpu": "2", "memory": "1Gi"}, {"cpu": "2", "memory": "1Gi"})),
        (
            {"ephemeral_storage": "5Gi"}, {},
            ({"cpu": "1", "memory": "1Gi", "ephemeral-storage": "5Gi"},) * 2,
        ),
    ],
)  # fmt: skip
def test_request_or_limit_sets_both(requests: dict[str, str], limits: dict[str, str], expected: object) -> None:
    assert granted(requests, limits) == (*expected, [])  # type: ignore[misc]


def test_excessive_request_is_reduced_and_noted() -> None:
    requests, limits, notes = granted({"memory": "3000Mi"}, {"memory": "8Gi"}, most={"memory": "2Gi", "gpu": "1"})
    assert (requests["memory"], limits["memory"]) == ("2Gi", "2Gi")
    assert notes == [
        "memory request 3000Mi is cut to the platform's limit 2Gi", "memory limit 8Gi is cut to the platform's limit 2Gi",
    ]  # fmt: skip


def test_gpu_has_equal_request_and_limit() -> None:
    requests, limits, _ = granted({"gpu": "2"})
    assert requests["nvidia.com/gpu"] == limits["nvidia.com/gpu"] == "2"
    _, limits, notes = granted({"gpu": "4"}, most={"gpu": "1"})
    assert (limits["nvidia.com/gpu"], notes) == ("1", ["gpu 4 is cut to the platform's limit 1"])
    assert "nvidia.com/gpu" not in granted({"gpu": "0"})[1]


def test_accelerator_without_gpu_count_requests_one() -> None:
    policy = Policy(accelerators=Accelerators(resources={"tpu-v5-lite-podslice": "google.com/tpu"}))
    assert granted(accelerator=AcceleratorSpec(device="nvidia-l4"))[1]["nvidia.com/gpu"] == "1"
    assert granted(accelerator=AcceleratorSpec(device="tpu-v5-lite-podslice"), policy=policy)[1]["google.com/tpu"] == "1"


@pytest.mark.parametrize(
    ("times", "limit", "expected"), [(0, None, "1Gi"), (1, None, str(2 * 2**30)), (2, "3Gi", "3Gi"), (1, "512Mi", "1Gi")]
)
def test_memory_grows_after_out_of_memory(times: int, limit: str | None, expected: str) -> None:
    policy = Policy(memory=Memory(factor=2, limit=limit))
    assert granted(policy=policy, out_of_memory=times)[1]["memory"] == expected


A100 = ("gpu", "In", ["a100-label"])


@pytest.mark.parametrize(
    ("accelerator", "terms"),
    [
        (AcceleratorSpec(device="nvidia-a100"), [A100]),
        (AcceleratorSpec(device="my-own"), [("gpu", "In", ["my-own"])]),
        (AcceleratorSpec(device="nvidia-a100", partition_size="1g.5gb"), [A100, ("size", "In", ["1g.5gb"])]),
        (AcceleratorSpec(device="nvidia-a100", unpartitioned=True), [A100, ("size", "DoesNotExist", None)]),
    ],
)
def test_affinity_and_tolerations_of_an_accelerator(accelerator: AcceleratorSpec, terms: list[Any]) -> None:
    known = Accelerators(device_label="gpu", partition_label="size", devices={"nvidia-a100": "a100-label"}, tolerations=())
    found = accelerator_terms(accelerator, known)
    assert [(term["key"], term["operator"], term.get("values")) for term in found] == terms
    assert accelerator_tolerations(accelerator, known)[0]["value"] == found[0]["values"][0]
