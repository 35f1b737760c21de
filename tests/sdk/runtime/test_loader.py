"""Import of tasks from their bundle, and the errors of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from flytemp.runtime.execute import ExecutionOptions, execute
from flytemp.runtime.invocation import TaskError
from tests.messages.golden import Case, check_golden
from tests.sdk.runtime.project import Project

TASK = """
    from flytemp import task

    @task
    def one() -> int:
        return 1

    number = 5
"""


def error_of(project: Project, options: ExecutionOptions, loader: str, node: str = "n0") -> TaskError:
    result = execute(project.invocation(loader, node=node), project.store, owner="me", options=options)
    assert result is not None
    assert result.error is not None
    return result.error


def test_import_roots_are_first_on_the_path(project: Project, options: ExecutionOptions) -> None:
    name = f"program{project.number}_rooted"
    for folder, value in (("src", 2), ("lib", 3)):
        source = f"from flytemp import task\n\n@task\ndef one() -> int:\n    return {value}\n"
        project.write(source, f"{folder}/{name}.py")
    ref = project.bundle().model_copy(update={"import_roots": ("lib", "src")})
    invocation = project.invocation(f"{name}:one", bundle=ref)
    result = execute(invocation, project.store, owner="me", options=options)
    assert result is not None
    assert result.outputs == {"o0": 3}
    assert options.bundles is not None
    assert sys.path[:2] == [str(options.bundles / ref.digest / folder) for folder in ("lib", "src")]


def test_another_broken_task_of_the_module_does_not_matter(project: Project, options: ExecutionOptions) -> None:
    project.write(TASK + "\n    @task\n    def untyped(x): ...\n\n    @task\n    def bare() -> tuple: ...\n")
    result = execute(project.invocation("one"), project.store, owner="me", options=options)
    assert result is not None
    assert result.outputs == {"o0": 1}


def test_code_without_a_bundle_is_imported_in_place(
    project: Project, options: ExecutionOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write(TASK)
    monkeypatch.syspath_prepend(str(project.folder))
    invocation = project.invocation("one", bundle=None)
    result = execute(invocation, project.store, owner="me", options=options)
    assert result is not None
    assert result.outputs == {"o0": 1}


@pytest.mark.parametrize(
    ("loader", "name"),
    [
        ("program_nowhere:one", "'program_nowhere'"),
        ("{module}.inner:one", "'{module}.inner'"),
        ("{module}:two", "'two'"),
        ("{module}:number", "'{module}:number'"),
    ],
)
def test_missing_module_or_attribute_is_named(project: Project, options: ExecutionOptions, loader: str, name: str) -> None:
    project.write(TASK)
    error = error_of(project, options, loader.format(module=project.module))
    assert (error.kind, error.code, error.retryable) == ("USER", "NotLoadable", False)
    assert name.format(module=project.module) in error.message
    assert "hint:" in error.message


def test_texts(project: Project, options: ExecutionOptions) -> None:
    project.write(TASK)
    project.write(TASK, "json.py")
    loaders = ("nowhere:one", f"{project.module}:two", f"{project.module}:number", "json:one")
    messages = {loader: error_of(project, options, loader, f"n{index}").message for index, loader in enumerate(loaders)}
    cases: dict[str, Case] = {loader: partial(str, message) for loader, message in messages.items()}
    check_golden("loading", cases, {project.module: "program", json.__file__: "<json>"})


@pytest.mark.parametrize(
    ("source", "code", "text", "retryable"),
    [
        ("import program_missing_dependency", "ModuleNotFoundError", "No module named 'program_missing", False),
        ("from os import nothing_of_that_name", "ImportError", "cannot import name", False),
        ("def broken(:", "SyntaxError", "invalid syntax", False),
        ("raise ConnectionError('the model hub is down')", "ConnectionError", "the model hub is down", True),
        ("import sys; sys.exit(3)", "SystemExit", "sys.exit(3)", True),
    ],
)
def test_error_during_import_is_charged_to_the_user(
    project: Project, options: ExecutionOptions, source: str, code: str, text: str, retryable: bool
) -> None:
    project.write(f"from flytemp import task\n{source}\n")
    error = error_of(project, options, "one")
    assert (error.kind, error.code, error.retryable) == ("USER", code, retryable)
    assert text in error.message
    assert f'File "{project.module}.py", line 2' in error.traceback
    assert "importlib" not in error.traceback


def test_invalid_annotation_is_charged_to_the_user(project: Project, options: ExecutionOptions) -> None:
    project.write("from flytemp import task\n\n@task\ndef one(x: 'Nowhere') -> int:\n    return 1\n")
    error = error_of(project, options, "one")
    assert (error.kind, error.retryable) == ("USER", False)
    assert "Nowhere" in error.message


def test_hidden_module_is_explained(project: Project, options: ExecutionOptions) -> None:
    project.write(TASK, "json.py")  # imported long before any user's code is
    error = error_of(project, options, "json:one")
    assert (error.kind, error.code, error.retryable) == ("USER", "NotLoadable", False)
    assert "hint:" in error.message


def test_warm_process_imports_few_modules() -> None:
    code = "import flytemp.runtime.serve, sys; print(*sys.modules)"
    environment = {"PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], env=environment, cwd=Path("/"), capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    unwanted = {"temporalio", "fsspec", "click", "rich", "kubernetes", "yaml", "flytemp_worker", "flytemp_activities"}
    assert "flytemp.runtime.serve" in loaded
    assert not loaded & unwanted
