"""The page on Kubernetes says what the code says: every key of the policy, its defaults, how each end is judged."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from flytemp.compiler import load_program, program_warnings
from flytemp.config import load_settings
from flytemp_activities.kubernetes import read_policy
from flytemp_activities.kubernetes.classify import termination_of
from flytemp_activities.kubernetes.policy import Accelerators, Memory, Policy, PolicyOverride, WaitLimits
from tests.docs.blocks import DOCS, Block, blocks
from tests.docs.test_code import write_project
from tests.docs.test_reference import names, rows

PAGE = "how-to/kubernetes.md"


def on_the_page(file: str) -> list[Block]:
    return [block for block in blocks(DOCS / PAGE) if block.mark("file") == file]


@pytest.mark.parametrize(
    ("mark", "model"),
    [
        pytest.param("## The policy", Policy, id="policy"),
        pytest.param("A place is called", PolicyOverride, id="place"),
        pytest.param("## GPUs", Accelerators, id="accelerators"),
        pytest.param("It may wait for so many seconds", WaitLimits, id="waits"),
    ],
)
def test_every_key_has_a_row(mark: str, model: type[BaseModel]) -> None:
    assert sorted(names(rows(PAGE, mark))) == sorted(model.model_fields)


def test_defaults_are_as_documented() -> None:
    waits, accelerators = WaitLimits(), Accelerators()
    assert {row[0].strip("`"): float(row[1]) for row in rows(PAGE, "It may wait for so many seconds")} == waits.model_dump()
    stated = {row[0].strip("`"): row[1].strip("`") for row in rows(PAGE, "## GPUs")}
    for name in ("resource", "device_label", "partition_label"):
        assert stated[name] == getattr(accelerators, name)
    policy = {row[0]: row[1] for row in rows(PAGE, "## The policy")}
    assert policy["`defaults`"] == f"cpu `{Policy().defaults.cpu}`, memory `{Policy().defaults.memory}`"
    assert policy["`keep_pods`"] == f"`{Policy().keep_pods}`"
    assert policy["`keep_hours`"] == f"{Policy().keep_hours:g}"
    assert f"`tries` {Policy().interruptible.tries}" in policy["`interruptible`"]
    assert policy["`memory`"] == f"`factor` {Memory().factor:g}"


def test_policies_on_the_page_are_policies(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    read: list[Policy] = []
    for block in on_the_page("policy.toml"):
        file.write_text(block.text)
        read.append(read_policy(file))

    place = read[0].place("forecasting", "production")
    assert (place.namespace, place.service_account) == ("forecasting", "forecaster")
    assert place.limits is not None
    assert (place.limits.memory, place.limits.cpu) == ("256Gi", "16")
    assert (read[1].memory.factor, read[1].memory.limit) == (2.0, "64Gi")


def test_the_settings_on_the_page_are_settings(tmp_path: Path) -> None:
    (block,) = on_the_page("flytemp.toml")
    (tmp_path / "flytemp.toml").write_text(block.text)
    exports = next(one.text for one in blocks(DOCS / PAGE) if "export FLYTEMP_WORKER_BACKEND" in one.text)
    variables = dict(re.findall(r"export (\w+)=(\S+)", exports))

    for settings in (load_settings(tmp_path, environ={}), load_settings(tmp_path / "nowhere", environ=variables)):
        assert (settings.store, settings.worker.backend) == ("s3://bucket/flytemp", "kubernetes")
        assert (settings.kubernetes.namespace, settings.kubernetes.image) == (
            "flytemp",
            "registry.example.com/flytemp-task:0.1.0",
        )


def test_the_security_context_is_as_documented() -> None:
    text = next(block.text for block in blocks(DOCS / PAGE) if block.language == "yaml")

    assert yaml.safe_load(text) == Policy().security_context


def _pod(**status: Any) -> dict[str, Any]:
    return {"metadata": {}, "spec": {"containers": [{"name": "primary"}]}, "status": {"phase": "Failed", **status}}


def _exit(code: int, reason: str = "Error") -> dict[str, Any]:
    return _pod(containerStatuses=[{"name": "primary", "state": {"terminated": {"exitCode": code, "reason": reason}}}])


_TAKEN = {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}
_INIT = {"name": "warm", "state": {"terminated": {"exitCode": 3}}}


@pytest.mark.parametrize(
    ("pod", "code"),
    [
        pytest.param(_exit(0, "OOMKilled"), "OutOfMemory", id="memory"),
        pytest.param(_pod(conditions=[_TAKEN]), "Evicted", id="preempted"),
        pytest.param(_pod(reason="Evicted"), "Evicted", id="evicted"),
        pytest.param(_pod(initContainerStatuses=[_INIT]), "InitFailed", id="init"),
        pytest.param(_pod(), "PodFailed", id="no-status"),
        pytest.param(_exit(137), "Killed", id="137"),
        pytest.param(_exit(247), "Killed", id="247"),
        pytest.param({**_exit(143), "metadata": {"deletionTimestamp": "now"}}, "Lost", id="deleted"),
        pytest.param(_exit(143), "Crashed", id="143"),
        pytest.param(_exit(127), "CannotRun", id="127"),
        pytest.param(_exit(1), "Exited", id="1"),
    ],
)
def test_codes_of_ends_are_as_documented(pod: dict[str, Any], code: str) -> None:
    error = termination_of(pod, "primary").error
    whose = {name: row[2] for row in rows(PAGE, "## Who is blamed") for name in re.findall(r"`(\w+)`", row[1])}

    assert error is not None
    assert error.code == code
    assert whose[code].split(",")[0] == {"USER": "user", "SYSTEM": "platform"}[error.kind]
    assert ("not tried again" in whose[code]) is not error.retryable


def test_what_the_page_says_acts_on_pods_alone(tmp_path: Path) -> None:
    project = write_project(DOCS / PAGE, tmp_path)
    warnings = "\n".join(str(problem) for problem in program_warnings(load_program([project / "src"])))

    acting = set(re.findall(r"(\w+)= acts where tasks are pods", warnings))
    assert acting == {"container_image", "resources", "accelerator", "shared_memory", "pod_template"}


def test_the_example_has_a_policy() -> None:
    text = (DOCS.parent / "examples/kubernetes/policy.toml").read_text()

    assert Policy.model_validate(tomllib.loads(text)).keep_pods == "always"
