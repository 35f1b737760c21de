"""Environment of a task, without credentials of the worker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from flytemp.spec.models import SecretRequest, TaskSettings
from flytemp_activities.process.environment import task_environment
from flytemp_activities.process.guard import MARKER
from tests.activities.process.conftest import Bench
from tests.sdk.runtime.project import Project

MakeProject = Callable[[str], Project]

WORKER = {
    "PATH": "/bin",
    "HOME": "/home/worker",
    "LANG": "C.UTF-8",
    "LC_ALL": "C",
    "TZ": "UTC",
    "TMPDIR": "/var/tmp",
    "TEMPORAL_API_KEY": "credential",
    "TEMPORAL_ADDRESS": "temporal:7233",
    "AWS_SECRET_ACCESS_KEY": "credential",
    "GOOGLE_APPLICATION_CREDENTIALS": "/credential",
    "FLYTEMP_STORE": "s3://bucket",
    "PYTHONPATH": "/somewhere",
    "_FSEC_DB_PASSWORD": "hunter2",
    "_FSEC_DB_V2_PASSWORD": "hunter3",
    "_FSEC_DB_PROD_PASSWORD": "hunter4",
    "_FSEC_TOKEN": "t0ken",
    MARKER: "of the worker's own parent",
}
ALWAYS = {name: WORKER[name] for name in ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")}
PROGRAM = """
    import os, sys
    from flytemp import task

    @task
    def environment() -> dict[str, str]:
        return dict(os.environ)
"""


@pytest.mark.parametrize(
    ("settings", "passed", "more"),
    [
        ({}, (), {}),
        ({"environment": {"MODE": "fast", "PATH": "/opt/bin"}}, (), {"MODE": "fast", "PATH": "/opt/bin"}),
        ({}, ("AWS_SECRET_ACCESS_KEY", "ABSENT"), {"AWS_SECRET_ACCESS_KEY": "credential"}),
        ({"secrets": (SecretRequest(group="db", key="password"),)}, (), {"_FSEC_DB_PASSWORD": "hunter2"}),
        (
            {"secrets": (SecretRequest(group="db", key="password", group_version="v2", env_var="PGPASS"),)},
            (),
            {"_FSEC_DB_V2_PASSWORD": "hunter3", "PGPASS": "hunter3"},
        ),
        ({"secrets": (SecretRequest(key="token"),)}, (), {"_FSEC_TOKEN": "t0ken"}),
        ({"secrets": (SecretRequest(group="db"),)}, (), {}),
        ({"secrets": (SecretRequest(group="no", key="such"),)}, (), {}),
        ({"environment": {MARKER: "escaped"}}, (), {}),
    ],
)
def test_environment_has_allowed_variables_only(
    make_project: MakeProject, settings: dict[str, Any], passed: tuple[str, ...], more: dict[str, str]
) -> None:
    invocation = make_project(PROGRAM).invocation("environment", settings=TaskSettings(**settings))
    assert task_environment(invocation, WORKER, passed) == {**ALWAYS, **more}


def test_variables_of_the_invocation_are_added(make_project: MakeProject) -> None:
    invocation = make_project(PROGRAM).invocation("environment", environment={"FLYTEMP_EXECUTION": "run1"})
    assert task_environment(invocation, WORKER, ()) == {**ALWAYS, "FLYTEMP_EXECUTION": "run1"}


async def test_task_has_exactly_this_environment(
    make_project: MakeProject, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_API_KEY", "credential")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "credential")
    monkeypatch.setenv("LANG", "C.UTF-8")
    settings = TaskSettings(environment={"MODE": "fast"})
    result = await bench.run(make_project(PROGRAM).invocation("environment", settings=settings))
    assert result.outputs is not None
    seen = result.outputs["o0"]
    allowed = {"PATH", "HOME", "LANG", "TZ", "TMPDIR", "MODE", MARKER}
    # LC_CTYPE may be set by Python itself, for itself.
    assert {name for name in seen if not name.startswith("LC_")} <= allowed
    assert (seen["MODE"], seen["LANG"]) == ("fast", "C.UTF-8")
