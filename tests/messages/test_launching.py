"""Texts of the errors about targets, inputs, options and outcomes of launches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from flytemp.client import LaunchOptions
from flytemp.client.handle import raise_for_phase
from flytemp.client.launch_arguments import call_of
from flytemp.client.retry import node_path
from flytemp.launching.inputs import merge_inputs
from flytemp.launching.launch_options import check_options
from flytemp.launching.targets import find_target
from flytemp.literals.types import Json
from flytemp.records.models import ErrorInfo, Execution, Phase
from flytemp.registry import Registry
from flytemp.store import open_store
from tests import small
from tests.messages.golden import Case, check_golden


def finding(registry: Registry, text: str, version: str | None = None) -> Case:
    return lambda: find_target(registry, text, project="default", domain="development", version=version)


def merging(registry: Registry, target: str, inputs: dict[str, Json]) -> Case:
    _, document = find_target(registry, target, project="default", domain="development")
    return lambda: merge_inputs(document, inputs)


def checking(**options: Json) -> Case:
    return lambda: check_options(LaunchOptions.model_construct(**options))


def execution(phase: Phase, error: ErrorInfo | None = None) -> Execution:
    return Execution(name="nightly", project="default", domain="development", phase=phase, error=error)


def test_texts(tmp_path: Path) -> None:
    registry = small.register(open_store(str(tmp_path / "store")))
    empty = Registry(open_store(str(tmp_path / "empty")))
    calling: Callable[..., object] = call_of
    error = ErrorInfo(code="ValueError", message="no rows", node="n1", task="load")
    cases: dict[str, Case] = {
        "nothing registered": finding(empty, "diamond"),
        "unknown target": finding(registry, "diamand"),
        "unknown target without similar names": finding(registry, "x"),
        "URN of another version": finding(registry, "wf:default:development:tests.small.diamond:v1", "v2"),
        "unknown input": merging(registry, "diamond", {"y": 1}),
        "missing input": merging(registry, "nested", {}),
        "fixed input": merging(registry, "small-of-7", {"x": 1}),
        "input of another type": merging(registry, "nested", {"x": "1"}),
        "negative parallelism": checking(max_parallelism=-1),
        "relative prefix": checking(raw_data_prefix="data"),
        "invalid service account": checking(service_account="Trainer"),
        "target of another type": lambda: calling(5, (), {}),
        "unknown option": lambda: calling("diamond", (), {"labels": {}}),
        "positional argument with a name": lambda: calling("diamond", (1,), {}),
        "failed execution": lambda: raise_for_phase(execution(Phase.FAILED, error)),
        "aborted execution": lambda: raise_for_phase(execution(Phase.ABORTED)),
        "unknown node": lambda: node_path(execution(Phase.FAILED), "n1"),
    }
    check_golden("launching", cases)
