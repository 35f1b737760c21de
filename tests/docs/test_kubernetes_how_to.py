"""The page on Kubernetes agrees with the code: keys and defaults of the policy, and codes of failures."""

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
from flytemp_activities.kubernetes.policy import Accelerators, Memory, PendingLimits, Policy, PolicyOverride
from tests.docs.blocks import DOCS, Block, blocks
from tests.docs.test_code import write_project
from tests.docs.test_reference import names, rows

PAGE = "how-to/kubernetes.md"


def blocks_of_file(file: str) -> list[Block]:
    return [block for block in blocks(DOCS / PAGE) if block.mark("file") == file]


@pytest.mark.parametrize(
    ("mark", "model"),
    [
        pytest.param("## The policy", Policy, id="policy"),
        pytest.param("The key of an override", PolicyOverride, id="override"),
        pytest.param("## GPUs", Accelerators, id="accelerators"),
        pytest.param("Each timeout is in seconds", PendingLimits, id="timeouts"),
    ],
)
def test_every_policy_key_has_a_row(mark: str, model: type[BaseModel]) -> None:
    assert sorted(names(rows(PAGE, mark))) == sorted(model.model_fields)


def test_documented_defaults_are_the_defaults() -> None:
    timeouts, accelerators = PendingLimits(), Accelerators()
    assert {row[0].strip("`"): float(row[1]) for row in rows(PAGE, "Each timeout is in seconds")} == timeouts.model_dump()
    stated = {row[0].strip("`"): row[1].strip("`") for row in rows(PAGE, "## GPUs")}
    for name in ("resource", "device_label", "partition_label"):
        assert stated[name] == getattr(accelerators, name)
    policy = {row[0]: row[1] for row in rows(PAGE, "## The policy")}
    assert policy["`defaults`"] == f"cpu `{Policy().defaults.cpu}`, memory `{Policy().defaults.memory}`"
    assert policy["`keep_pods`"] == f"`{Policy().keep_pods}`"
    assert policy["`keep_hours`"] == f"{Policy().keep_hours:g}"
    assert f"`tries` {Policy().interruptible.tries}" in policy["`interruptible`"]
    assert policy["`memory`"] == f"`factor` {Memory().factor:g}"


def test_policies_on_the_page_are_valid(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    read: list[Policy] = []
    for block in blocks_of_file("policy.toml"):
        file.write_text(block.text)
        read.append(read_policy(file))

    place = read[0].effective("forecasting", "production")
    assert (place.namespace, place.service_account) == ("forecasting", "forecaster")
    assert place.limits is not None
    assert (place.limits.memory, place.limits.cpu) == ("256Gi", "16")
    assert (read[1].memory.factor, read[1].memory.limit) == (2.0, "64Gi")


def test_settings_on_the_page_are_valid(tmp_path: Path) -> None:
    (block,) = blocks_of_file("flytemp.toml")
    (tmp_path / "flytemp.toml").write_text(block.text)
    exports = next(one.text for one in blocks(DOCS / PAGE) if "export FLYTEMP_WORKER_BACKEND" in one.text)
    variables = dict(re.findall(r"export (\w+)=(\S+)", exports))

    for settings in (load_settings(tmp_path, environ={}), load_settings(tmp_path / "nowhere", environ=variables)):
        assert (settings.store, settings.worker.backend) == ("s3://bucket/flytemp", "kubernetes")
        assert (settings.kubernetes.namespace, settings.kubernetes.image) == (
            "flytemp-tasks",
            "registry.example.com/flytemp-task:0.1.0",
        )


def test_documented_security_context_is_the_default() -> None:
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
def test_documented_codes_match_the_classification(pod: dict[str, Any], code: str) -> None:
    error = termination_of(pod, "primary").error
    charged = {name: row[2] for row in rows(PAGE, "## Failure classification") for name in re.findall(r"`(\w+)`", row[1])}

    assert error is not None
    assert error.code == code
    assert charged[code].split(",")[0] == {"USER": "user", "SYSTEM": "platform"}[error.kind]
    assert ("not retried" in charged[code]) is not error.retryable


def test_settings_for_pods_cause_warnings(tmp_path: Path) -> None:
    project = write_project(DOCS / PAGE, tmp_path)
    warnings = "\n".join(str(problem) for problem in program_warnings(load_program([project / "src"])))

    acting = set(re.findall(r"(\w+)= has no effect on workers that run tasks as processes", warnings))
    assert acting == {"container_image", "resources", "accelerator", "shared_memory", "pod_template"}


def test_policy_of_the_example_is_valid() -> None:
    text = (DOCS.parent / "examples/kubernetes/policy.toml").read_text()

    assert Policy.model_validate(tomllib.loads(text)).keep_pods == "always"
