"""Time from the start of a task's interpreter to the user's function, and the share of imports."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

from flytemp.runtime.commit import read_result
from flytemp.runtime.invocation import Invocation
from flytemp.store import open_store
from flytemp_activities.kubernetes.manifest import COMMAND, encode_invocation
from tests.sdk.runtime.project import Project

PROGRAM = """
    import time
    from flytemp import task

    @task
    def stamp() -> float:
        return time.time()
"""


def runtime_start(folder: Path, repeats: int = 7) -> tuple[float, float]:
    """Return the medians in seconds of the time until the user's function is called and of the imports of flytemp's own modules.

    The bundle is copied from a folder and unpacked each time.
    """
    project = Project(folder / "runtime", open_store(str(folder / "runtime-store")))
    project.write(PROGRAM)
    starts = [_start(project, project.invocation("stamp", node=f"n{number}")) for number in range(repeats)]
    imports = [_imports(project.invocation("stamp", node=f"i{number}")) for number in range(3)]
    return statistics.median(starts), statistics.median(imports)


def _start(project: Project, invocation: Invocation) -> float:
    began = time.time()
    _run(invocation)
    result = read_result(project.store, invocation)
    assert result is not None
    assert result.outputs is not None
    called = result.outputs["o0"]
    assert isinstance(called, float)
    return called - began


def _imports(invocation: Invocation) -> float:
    told = _run(invocation, "-X", "importtime")
    own = re.findall(r"import time:\s+(\d+) \|\s+\d+ \|\s+flytemp[.\w]*$", told, re.MULTILINE)
    return sum(map(int, own)) / 1e6


def _run(invocation: Invocation, *options: str) -> str:
    own = {"FLYTEMP_INVOCATION": encode_invocation(invocation), "FLYTEMP_PROTOCOL": str(invocation.protocol)}
    variables = {**os.environ, **own, "FLYTEMP_STORE": invocation.store, "FLYTEMP_POD_UID": invocation.node}
    command = [sys.executable, *options, *COMMAND[1:]]
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=True).stderr
