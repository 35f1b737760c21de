"""Tests that the recorded histories replay with the current code. `tests.replay.record` says how to record them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from flytemp_worker.engine.messages import Command
from flytemp_worker.workflow.interpreter import FlytempMapPart, FlytempWorkflow
from flytemp_worker.workflow.runner import WorkflowRunner

HISTORIES = sorted((Path(__file__).parent / "histories").glob("*.json.gz"))


def read(file: Path) -> WorkflowHistory:
    data = json.loads(gzip.decompress(file.read_bytes()))
    return WorkflowHistory.from_json(data["workflow_id"], data["history"])


def test_histories_are_recorded() -> None:
    names = {file.name for file in HISTORIES}
    assert {"0.1-diamond-0.json.gz", "0.1-failure-0.json.gz", "0.1-cancelled-0.json.gz"} <= names
    assert any(name.endswith("-1.json.gz") for name in names), "none continued as new"


@pytest.mark.parametrize("file", HISTORIES, ids=lambda file: file.name.removesuffix(".json.gz"))
async def test_history_replays(file: Path) -> None:
    replayer = Replayer(workflows=[FlytempWorkflow, FlytempMapPart])
    result = await replayer.replay_workflow(read(file), raise_on_replay_failure=False)

    assert result.replay_failure is None


async def test_reordered_commands_break_the_replay(monkeypatch: pytest.MonkeyPatch) -> None:
    enqueue = WorkflowRunner.enqueue_commands
    monkeypatch.setattr(WorkflowRunner, "enqueue_commands", lambda self, commands: enqueue(self, _reversed(commands)))
    history = read(next(file for file in HISTORIES if "diamond-0" in file.name))
    result = await Replayer(workflows=[FlytempWorkflow, FlytempMapPart]).replay_workflow(history, raise_on_replay_failure=False)

    assert isinstance(result.replay_failure, NondeterminismError)


def _reversed(commands: list[Command]) -> list[Command]:
    return commands[::-1]
