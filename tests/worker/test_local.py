"""`run_local`: the engine and the runtime in this process: success, failure, retries, Ctrl-C, launch plans, references."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flytemp.compiler import compile_entity
from flytemp.errors import InputError
from flytemp.records.launch import LaunchOptions
from flytemp.records.models import Execution, NodeExecution, Phase
from flytemp.spec.models import WorkflowDocument
from flytemp.store import open_store
from flytemp.store.object_store import ObjectStore
from flytemp_worker.local import run_local
from tests import small


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return open_store(str(tmp_path / "store"))


def run(
    store: ObjectStore, entity: Any, *, name: str | None = None, seen: list[Execution] | None = None, **inputs: Any
) -> Execution:
    workflow = compile_entity(entity.workflow) if entity in (small.plan, small.fixed) else None
    assert workflow is None or isinstance(workflow, WorkflowDocument)
    return run_local(
        compile_entity(entity), inputs, store=store, project="default", domain="development", workflow=workflow, name=name,
        on_change=None if seen is None else seen.append,
    )  # fmt: skip


def node(execution: Execution, identifier: str) -> NodeExecution:
    return next(found for found in execution.nodes if found.id == identifier)


@pytest.mark.parametrize(
    ("entity", "inputs", "outputs"),
    [
        pytest.param(small.diamond, {"x": 3}, 9, id="workflow"),
        pytest.param(small.diamond, {}, 5, id="default"),
        pytest.param(small.nested, {"x": 1}, 10, id="sub-workflows"),
        pytest.param(small.add, {"a": 1, "b": 2}, 3, id="task"),
        pytest.param(small.plan, {}, 13, id="launch plan"),
        pytest.param(small.plan, {"x": 1}, 5, id="launch plan's default overridden"),
        pytest.param(small.fixed, {}, 17, id="fixed input"),
        pytest.param(small.by_reference, {"n": 20_000}, 199_990_003, id="by reference"),
        pytest.param(small.list_of, {"n": 5_000}, list(range(5_000)), id="outputs by reference"),
        pytest.param(small.moved, {"point": {"x": 1, "y": 2}}, {"x": 2, "y": 2.0}, id="a dataclass"),
    ],
)
def test_local_run_succeeds(store: ObjectStore, entity: Any, inputs: dict[str, Any], outputs: Any) -> None:
    execution = run(store, entity, **inputs)

    assert execution.error is None
    assert (execution.phase, execution.outputs) == (Phase.SUCCEEDED, {"o0": outputs})
    assert {found.phase for found in execution.nodes} == {Phase.SUCCEEDED}


def test_local_run_is_recorded(store: ObjectStore) -> None:
    execution = run(store, small.diamond, name="mine", x=3)
    assert execution.name == "mine"
    assert execution.metadata_uri is not None
    key = execution.metadata_uri.removeprefix(f"{store.uri}/")
    assert Execution.model_validate_json(store.read(f"{key}/record.json")) == execution


def test_failure_skips_dependent_nodes(store: ObjectStore) -> None:
    execution = run(store, small.fails, x=4)

    assert [found.phase for found in execution.nodes] == [Phase.SUCCEEDED, Phase.FAILED, Phase.SKIPPED]
    assert execution.phase is Phase.FAILED
    assert execution.error is not None
    assert (execution.error.node, execution.error.message, execution.error.kind) == ("n1", "no use: 8", "USER")
    assert "small.py" in (execution.error.traceback or "")
    assert node(execution, "n1").attempts == 1, "it cannot be recovered from"


def test_retries(store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("flytemp_worker.local.run.time.sleep", slept.append)
    (tmp_path / "attempts").mkdir()
    seen: list[Execution] = []
    execution = run(store, small.retried, seen=seen, folder=str(tmp_path / "attempts"))

    assert execution.outputs == {"o0": 3}
    assert [past.phase for past in node(execution, "n0").attempt_history] == [Phase.FAILED, Phase.FAILED, Phase.SUCCEEDED]
    assert len(slept) == 2
    assert seen[-1] == execution
    counts = [node(shown, "n0").attempts for shown in seen]
    assert counts == sorted(counts)


def test_ctrl_c_in_a_task_cancels_the_execution(store: ObjectStore) -> None:
    execution = run(store, small.interrupted, x=1)

    assert execution.phase is Phase.ABORTED
    assert [found.phase for found in execution.nodes] == [Phase.SUCCEEDED, Phase.ABORTED, Phase.SKIPPED]
    assert execution.error is not None
    assert execution.error.code == "Cancelled"


def test_ctrl_c_in_a_back_off_cancels_the_execution(store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("flytemp_worker.local.run.time.sleep", interrupted)
    (tmp_path / "attempts").mkdir()
    execution = run(store, small.retried, folder=str(tmp_path / "attempts"))

    assert execution.phase is Phase.ABORTED
    assert [past.phase for past in node(execution, "n0").attempt_history] == [Phase.FAILED]


def test_too_large_output_fails_the_execution(store: ObjectStore) -> None:
    execution = run(store, small.list_of, n=400_000)
    assert execution.phase is Phase.FAILED
    assert execution.error is not None
    assert execution.error.code == "LimitExceeded"


@pytest.mark.parametrize("inputs", [{}, {"x": "three"}, {"y": 1}, {"x": object()}])
def test_invalid_inputs_write_nothing(store: ObjectStore, inputs: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        run(store, small.nested, **inputs)
    assert store.list("executions") == []


def test_options_of_the_launch_plan_apply_to_local_runs(store: ObjectStore) -> None:
    assert run(store, small.plan).labels == {"team": "a"}
    own = run_local(
        compile_entity(small.diamond), {}, store=store, project="default", domain="development",
        options=LaunchOptions(labels={"b": "c"}, annotations={"d": "e"}, max_parallelism=1),
    )  # fmt: skip
    assert (own.labels, own.annotations, own.phase) == ({"b": "c"}, {"d": "e"}, Phase.SUCCEEDED)


def test_in_memory_store(tmp_path: Path) -> None:
    store = open_store(f"memory://{tmp_path.name}")
    assert run(store, small.by_reference, n=5_000).outputs == {"o0": 12_497_503}
