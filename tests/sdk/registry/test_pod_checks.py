"""Registration warns of pods that the published rules do not allow."""

from __future__ import annotations

from pathlib import Path

import pytest

from flytemp.client.registration import register_paths
from flytemp.pods.rules import PlaceRules, PodLists, PodRules
from flytemp.registry.platform_limits import PlatformLimits, publish_limits
from flytemp.store import open_store
from flytemp.store.object_store import ObjectStore

PROGRAM = """
from flytemp import LaunchPlan, PodTemplate, Secret, task, workflow
from flytemp.models.security import Identity, SecurityContext

@task(secret_requests=[Secret(group="db", key="password")])
def reads(x: int) -> int:
    return x

@task(pod_template=PodTemplate(pod_spec={"hostPID": True, "containers": [{"name": "primary"}]}))
def inspects(x: int) -> int:
    return x

@task(pool="trusted", pod_template=PodTemplate(pod_spec={"hostNetwork": True}))
def connects(x: int) -> int:
    return x

@workflow
def main(x: int) -> int:
    return connects(x=inspects(x=reads(x=x)))

nightly = LaunchPlan.get_or_create(
    main, name="nightly", security_context=SecurityContext(run_as=Identity(k8s_service_account="admin"))
)
"""
NARROW = PodRules(allow=PodLists(secrets=("team-*",)))


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return open_store(str(tmp_path / "store"))


def warnings(store: ObjectStore, tmp_path: Path, domain: str = "d") -> list[str]:
    path = tmp_path / "src" / "rules_program.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(PROGRAM)
    result = register_paths(store, [path], project="p", domain=domain, task_queue="pods", dry_run=True)
    return [str(warning) for warning in result.warnings if "the policy of the platform" in str(warning)]


def test_registration_warns_of_pods_that_the_rules_do_not_allow(store: ObjectStore, tmp_path: Path) -> None:
    publish_limits(store, "pods", PlatformLimits(pods=NARROW))
    publish_limits(store, "pods-tasks-trusted", PlatformLimits(pods=PodRules(pod_security="privileged")))

    found = warnings(store, tmp_path)

    expected = {"task rules_program.reads:": "'db'", "task rules_program.inspects:": "hostPID", "launch plan nightly:": "'admin'"}
    assert len(found) == len(expected)
    for owner, name in expected.items():
        assert [warning for warning in found if owner in warning and name in warning and "rules_program.py:" in warning]


def test_rules_of_the_project_and_domain_apply(store: ObjectStore, tmp_path: Path) -> None:
    own = PlaceRules(allow=PodLists(secrets=("db",), service_accounts=("admin",), host_access=("hostPID", "hostNetwork")))
    publish_limits(store, "pods", PlatformLimits(pods=NARROW.model_copy(update={"overrides": {"p-d": own}})))
    publish_limits(store, "pods-tasks-trusted", PlatformLimits())
    assert warnings(store, tmp_path) == []
    assert len(warnings(store, tmp_path, "production")) == 3


def test_workers_without_pods_have_no_rules(store: ObjectStore, tmp_path: Path) -> None:
    publish_limits(store, "pods", PlatformLimits())
    assert warnings(store, tmp_path) == []
