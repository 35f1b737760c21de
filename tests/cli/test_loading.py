"""Modules that the command line imports: help, version and completion must not load heavy libraries."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("temporalio", "rich", "pydantic", "fsspec", "kubernetes", "yaml")

PROGRAM = """
import json, sys
from flytemp_cli.main import main
try:
    main()
except SystemExit as end:
    code = end.code
print(json.dumps({"code": code, "modules": sorted(sys.modules)}), file=sys.stderr)
"""


def loaded(arguments: list[str], **environment: str) -> tuple[str, int, set[str]]:
    """Run a command line in a new interpreter; return stdout, the exit code and the loaded modules."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=True,
        timeout=60,
    )
    report = json.loads(done.stderr.splitlines()[-1])
    return done.stdout, report["code"], set(report["modules"])


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--help"], "Start an execution of a registered entity"),
        (["--version"], "flytemp "),
        (["launch", "--help"], "--max-parallelism"),
        (["run", "--help"], "--local"),
        (["launch", "-h"], "--max-parallelism"),
        (["list", "--help"], "executions"),
        (["get", "execution", "--help"], "Usage: flytemp get execution"),
        (["dev", "--help"], "--ephemeral"),
        (["config", "view"], "worker.slots"),
        (["completion", "bash"], "_FLYTEMP_COMPLETE"),
    ],
)
def test_light_commands_do_not_load_heavy_modules(arguments: list[str], expected: str) -> None:
    out, code, modules = loaded(arguments)

    assert code == 0
    assert expected in out
    assert modules.isdisjoint(HEAVY)


def test_help_does_not_import_commands() -> None:
    _, _, modules = loaded(["--help"])

    assert not [name for name in modules if name.startswith("flytemp_cli.commands")]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("flytemp la", "launch"),
        ("flytemp list ", "launch-plans"),
        ("flytemp launch my", "my_wf"),
        ("flytemp launch ", "pkg.my_wf"),
        ("flytemp launch my_wf --my", "--my-input"),
        ("flytemp get workflow pk", "pkg.my_wf"),
        ("flytemp approve ni", "nightly-1"),
    ],
)
def test_completion_does_not_load_heavy_modules(line: str, expected: str, tmp_path: Path) -> None:
    registered(tmp_path / "store")

    words = line.split(" ")
    out, _, modules = loaded(
        [],
        _FLYTEMP_COMPLETE="bash_complete",
        COMP_WORDS=line,
        COMP_CWORD=str(len(words) - 1),
        FLYTEMP_STORE=str(tmp_path / "store"),
    )

    assert f"plain,{expected}" in out.splitlines()
    assert modules.isdisjoint(HEAVY)


def registered(store: Path) -> None:
    """Register a workflow and its launch plan."""
    from flytemp.layout import ExecutionLayout
    from flytemp.literals.types import SimpleType
    from flytemp.registry import Registry
    from flytemp.spec.canonical import digest
    from flytemp.spec.models import Interface, LaunchPlanDocument, LaunchPlanSpec, Variable, WorkflowDocument, WorkflowSpec
    from flytemp.store import open_store

    interface = Interface(inputs=(Variable(name="my_input", type=SimpleType(kind="integer")),))
    workflow = WorkflowDocument(name="pkg.my_wf", workflows={"pkg.my_wf": WorkflowSpec(name="pkg.my_wf", interface=interface)})
    plan = LaunchPlanSpec(name="pkg.my_wf", workflow="pkg.my_wf")
    document = LaunchPlanDocument(launch_plan=plan, interface=interface, workflow_digest=digest(workflow))
    registry = Registry(open_store(str(store)))
    registry.register([workflow, document], project="default", domain="development", version="v1")
    run = store / ExecutionLayout("default", "ex:default:development:nightly-1", "r1").root
    run.mkdir(parents=True)
    (run / "execution.json").write_text('{"execution": "nightly-1", "project": "default", "domain": "development"}')
