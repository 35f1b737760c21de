"""A task's own variables in a local run: set for the task, gone after it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flytemp import task
from flytemp.compiler import compile_entity
from flytemp.records.models import Phase
from flytemp.store import open_store
from flytemp_worker.local import run_local


@task(environment={"MODE": "training", "EXTRA": "yes"})
def shown() -> list[str]:
    os.environ["LEFT_BEHIND"] = "by the task"
    return [os.environ["MODE"], os.environ["EXTRA"]]


def test_environment_is_set_for_the_task_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODE", "mine")
    store = open_store(str(tmp_path / "store"))
    execution = run_local(compile_entity(shown), {}, store=store, project="default", domain="development")

    assert (execution.phase, execution.outputs) == (Phase.SUCCEEDED, {"o0": ["training", "yes"]}), execution.error
    assert os.environ["MODE"] == "mine"
    assert not {"EXTRA", "LEFT_BEHIND"} & os.environ.keys()
