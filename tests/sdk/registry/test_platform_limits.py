"""Registration compares the requests of tasks with the published limits, and warns or refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from flytemp import layout
from flytemp.client.registration import register_paths
from flytemp.errors import ProgramError
from flytemp.registry.platform_limits import PlatformLimits, exceeding, publish_limits, read_limits
from flytemp.spec.models import ResourceAmounts, ResourceSpec
from flytemp.store import open_store
from flytemp.store.object_store import ObjectStore

PROGRAM = """
from flytemp import Resources, task, workflow

@task(requests=Resources(mem="2Gi", ephemeral_storage="1Gi"), limits=Resources(mem="64Gi"))
def train(x: int) -> int:
    return x

@task
def small(x: int) -> int:
    return x

@workflow
def main(x: int) -> int:
    return small(x=train(x=x)).with_overrides(requests=Resources(gpu="4"), limits=Resources(gpu="4"))
"""
BRANCHING = """
from flytemp import Resources, conditional, task, workflow

@task
def small(x: int) -> int:
    return x

@workflow
def main(x: int) -> int:
    return (
        conditional("size")
        .if_(x > 1)
        .then(small(x=x).with_overrides(requests=Resources(gpu="4"), limits=Resources(gpu="4")))
        .else_()
        .then(small(x=x))
    )
"""
PLACE = {"project": "p", "domain": "d"}
LIMITS = ResourceAmounts(memory="32Gi", gpu="2")


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return open_store(str(tmp_path / "store"))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "src" / "limits_program.py"
    path.parent.mkdir()
    path.write_text(PROGRAM)
    return path


@pytest.mark.parametrize(
    ("requests", "limits", "expected"),
    [
        ({}, {}, []),
        ({"memory": "4Gi"}, {}, []),
        ({"memory": "4097Mi"}, {}, ["memory 4097Mi is more than the 4Gi"]),
        ({"memory": "1Gi"}, {"memory": "5Gi"}, ["memory 5Gi is more than the 4Gi"]),
        ({"ephemeral_storage": "2"}, {"cpu": "9"}, ["ephemeral storage 2 is more than the 1"]),
    ],
)
def test_amounts_above_the_limits(requests: dict[str, str], limits: dict[str, str], expected: list[str]) -> None:
    stated = ResourceSpec(requests=ResourceAmounts(**requests), limits=ResourceAmounts(**limits))
    assert list(exceeding(stated, ResourceAmounts(memory="4Gi", ephemeral_storage="1"))) == expected


def test_limits_of_the_domain_take_precedence() -> None:
    overrides = {"p": ResourceAmounts(memory="1Gi", cpu="1"), "p-d": ResourceAmounts(memory="2Gi")}
    known = PlatformLimits(limits=ResourceAmounts(memory="4Gi", gpu="1"), overrides=overrides)
    assert known.of("q", "d") == ResourceAmounts(memory="4Gi", gpu="1")
    assert known.of("p", "e") == ResourceAmounts(memory="1Gi", cpu="1", gpu="1")
    assert known.of("p", "d") == ResourceAmounts(memory="2Gi", cpu="1", gpu="1")


def test_registration_warns_of_requests_that_are_reduced(store: ObjectStore, source: Path) -> None:
    publish_limits(store, "gpus", PlatformLimits(limits=LIMITS))
    registration = register_paths(store, [source], task_queue="gpus", **PLACE)
    warned = [str(warning) for warning in registration.warnings if "platform" in str(warning)]
    end = "that the platform gives to a task in p-d; it gets that much"
    assert warned == [
        f"limits_program.py:5: task limits_program.train: memory 64Gi is more than the 32Gi {end}",
        f"limits_program.py:14: workflow limits_program.main, node n1: gpu 4 is more than the 2 {end}",
    ]
    assert registration.entries


def test_nodes_in_branches_are_checked(store: ObjectStore, tmp_path: Path) -> None:
    path = tmp_path / "src" / "branching_program.py"
    path.parent.mkdir()
    path.write_text(BRANCHING)
    publish_limits(store, "gpus", PlatformLimits(limits=LIMITS))
    registration = register_paths(store, [path], task_queue="gpus", **PLACE)
    warned = [str(warning) for warning in registration.warnings if "platform" in str(warning)]
    assert len(warned) == 1
    assert "workflow branching_program.main, node n0.n0: gpu 4 is more than the 2" in warned[0]


def test_registration_refuses_requests_if_the_platform_does(store: ObjectStore, source: Path) -> None:
    publish_limits(store, "gpus", PlatformLimits(refuse=True, limits=LIMITS))
    with pytest.raises(ProgramError) as caught:
        register_paths(store, [source], task_queue="gpus", **PLACE)
    assert len(caught.value.problems) == 2
    assert not store.list("registry")
    assert not [w for w in register_paths(store, [source], task_queue="another", **PLACE).warnings if "platform" in str(w)]


def test_limits_of_the_tasks_pool_apply(store: ObjectStore, source: Path) -> None:
    source.write_text(PROGRAM.replace("gpu=\"4\"))", "gpu=\"4\"), pool=\"big\")"))
    publish_limits(store, "gpus", PlatformLimits(limits=LIMITS))
    publish_limits(store, "gpus-tasks-big", PlatformLimits(limits=ResourceAmounts(gpu="8")))
    warnings = [str(one) for one in register_paths(store, [source], task_queue="gpus", **PLACE).warnings]
    exceeded = [warning for warning in warnings if "platform" in warning]
    assert len(exceeded) == 1
    assert "memory 64Gi is more than the 32Gi" in exceeded[0]
    publish_limits(store, "gpus-tasks-big", PlatformLimits(refuse=True, limits=ResourceAmounts(gpu="3")))
    with pytest.raises(ProgramError) as caught:
        register_paths(store, [source], task_queue="gpus", **PLACE)
    assert len(caught.value.problems) == 2


def test_limits_in_an_unknown_form_are_ignored(store: ObjectStore) -> None:
    store.write(layout.platform_limits_key("gpus"), b'{"limits": 7}')
    assert read_limits(store, "gpus") == PlatformLimits() == read_limits(store, "another queue")


def test_unusual_name_of_a_task_queue_is_one_folder(store: ObjectStore) -> None:
    publish_limits(store, "../gpus/a b", PlatformLimits(limits=LIMITS))
    assert read_limits(store, "../gpus/a b").limits == LIMITS
    assert layout.platform_limits_key("../gpus/a b").count("/") == 2
