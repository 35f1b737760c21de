"""The digits pipeline with a GPU for one of its tasks: as plain Python, and as `just demo-kubernetes`."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flytemp.compiler import compile_program, load_program
from flytemp.spec.models import WorkflowDocument
from infra.testcluster import KubernetesAccess
from infra.testcluster.pytest_fixtures import cluster, own_cluster
from tests.examples.projects import ROOT, copy_of
from tests.installation import eventually, marked_processes

__all__ = ["cluster", "own_cluster"]

FIRST_DEMO_SECONDS = 1800
"""The first run on a machine builds the cluster's programs and the image."""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = copy_of("kubernetes", tmp_path)
    (folder / "demo.py").unlink()
    shutil.copy(ROOT / "examples/digits/pipeline.py", folder)
    return folder


def test_pipeline_gives_the_same_results(project: Path) -> None:
    program = load_program([project / "digits_gpu.py", project / "pipeline.py"])
    with_gpu: Any = program.workflows["digits_gpu.digits_gpu"]
    plain: Any = program.workflows["pipeline.digits"]

    assert with_gpu(seed=1).metrics == plain(seed=1).metrics


def test_only_the_gpu_request_differs(project: Path) -> None:
    documents = compile_program(load_program([project / "digits_gpu.py", project / "pipeline.py"]), None)
    found = {one.name: one for one in documents if isinstance(one, WorkflowDocument)}
    with_gpu, plain = found["digits_gpu.digits_gpu"].root, found["pipeline.digits"].root

    differing = [node for node, other in zip(with_gpu.nodes, plain.nodes, strict=True) if _told(node) != _told(other)]

    assert [node.target for node in differing] == ["pipeline.evaluate"]
    assert differing[0].overrides.settings is not None
    assert differing[0].overrides.settings.resources.limits.gpu == "1"


def _told(node: Any) -> Any:
    return node.model_dump(exclude={"location"})


@pytest.fixture
def demo(own_cluster: KubernetesAccess) -> Iterator[subprocess.Popen[str]]:
    plain = {key: value for key, value in os.environ.items() if not key.startswith(("FLYTEMP_WORKER", "TEMPORAL_", "AWS_"))}
    with subprocess.Popen(
        [sys.executable, "-m", "examples.kubernetes.demo"],
        cwd=ROOT, env=plain, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        yield process
        process.kill()


def namespaces(cluster: KubernetesAccess) -> str:
    return cluster.kubectl("get", "namespaces", "--selector", "flytemp-demo=digits", "--output", "name")


@pytest.mark.kubernetes
@pytest.mark.e2e
@pytest.mark.timeout(FIRST_DEMO_SECONDS)
def test_demo_shows_a_pod_per_task(demo: subprocess.Popen[str], own_cluster: KubernetesAccess) -> None:
    output, _ = demo.communicate()

    assert demo.returncode == 0, output
    assert "13 tasks, each in its own pod; one of them had a GPU" in output
    assert "best model" in output
    assert (ROOT / "examples/kubernetes/.flytemp/confusion_matrix.png").read_bytes().startswith(b"\x89PNG")
    assert marked_processes(str(ROOT / "examples/kubernetes/.flytemp")) == []
    eventually(lambda: not namespaces(own_cluster), "its namespace is gone")


@pytest.mark.kubernetes
@pytest.mark.e2e
@pytest.mark.timeout(FIRST_DEMO_SECONDS)
def test_interrupted_demo_leaves_no_pods(demo: subprocess.Popen[str], own_cluster: KubernetesAccess) -> None:
    assert demo.stdout is not None
    for line in demo.stdout:
        if "RUNNING    n1" in line:
            break
    demo.send_signal(signal.SIGTERM)
    output, _ = demo.communicate()

    assert demo.returncode == 143, output
    eventually(lambda: marked_processes(str(ROOT / "examples/kubernetes/.flytemp")) == [], "its processes end")
    eventually(lambda: not namespaces(own_cluster), "its namespace is gone")
