"""Secrets in the worker's environment, which a task of the same user looks for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.activities.process import fake_backend
from tests.sdk.runtime.project import Project

SECRET = "AWS_SECRET_ACCESS_KEY=9f1d0e-only-for-the-worker"

PROGRAM = """
    import os
    from flytemp import task

    @task
    def search(text: str) -> list[str]:
        found = []
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    with open(f"/proc/{name}/environ", "rb") as file:
                        if text.encode() in file.read():
                            found.append(open(f"/proc/{name}/cmdline").read().replace(chr(0), " "))
                except OSError:
                    pass
        return found
"""

PROTECTED = """
import ctypes, os, subprocess, sys
from flytemp_activities.process.secrecy import protect_process
protect_process()
print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
print(os.environ["TOKEN"])
print(subprocess.run(["printenv", "TOKEN"], capture_output=True, text=True).stdout.strip())
print(b"hidden" in open("/proc/self/environ", "rb").read())
"""


def test_task_does_not_find_the_environment_of_its_worker(make_project: Callable[[str], Project], tmp_path: Path) -> None:
    program = make_project(PROGRAM)
    invocation = program.invocation("search", {"text": SECRET})
    name, _, value = SECRET.partition("=")
    arguments = [program.store.uri, str(tmp_path / "state"), str(tmp_path / "scratch"), "90", invocation.model_dump_json()]
    command = [sys.executable, fake_backend.__file__, *arguments]
    output = subprocess.run(command, env={**os.environ, name: value}, capture_output=True, text=True, check=True).stdout
    (result,) = [message["result"] for line in output.splitlines() if "result" in (message := json.loads(line))]
    assert (result["status"], result["outputs"]) == ("succeeded", {"o0": []})


def test_protected_process_keeps_its_variables() -> None:
    environment = {**os.environ, "TOKEN": "hidden"}
    command = [sys.executable, "-c", PROTECTED]
    output = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert output.split() == ["0", "hidden", "hidden", "False"]
