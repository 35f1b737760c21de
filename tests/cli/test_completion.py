"""Shell completion of executions and gates, from the store only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.shell_completion import ShellComplete

from flytemp.layout import ExecutionLayout, document_key
from flytemp.names import EntityId
from flytemp.registry.documents import sealed
from flytemp_cli.main import cli
from tests.cli.shapes import every_kind

PROGRAM = "wf:default:development:wf.everything:v1"


@pytest.fixture
def store(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Store executions: running, failed, of another domain, and retried."""
    store = project / "store"
    monkeypatch.setenv("FLYTEMP_STORE", str(store))
    document = store / document_key(EntityId.parse(PROGRAM))
    document.parent.mkdir(parents=True)
    document.write_text(sealed(every_kind().model_dump_json()))
    _write(store, "nightly-1", "r1", _context("nightly-1"))
    _write(
        store, "failed-1", "r1", _context("failed-1"), [{"id": "n0", "phase": "SUCCEEDED"}, {"id": "n1.n0", "phase": "FAILED"}]
    )
    _write(store, "elsewhere", "r1", {**_context("elsewhere"), "domain": "production"})
    _write(store, "retried", "r1", _context("retried"), [])
    _write(store, "retried", "r2", {"root": "executions/…/r1"})
    return store


def _context(name: str) -> dict[str, Any]:
    return {"execution": name, "project": "default", "domain": "development", "spec": PROGRAM, "workflow": "wf.everything"}


def _write(store: Path, name: str, run: str, context: dict[str, Any], nodes: list[dict[str, str]] | None = None) -> None:
    folder = store / ExecutionLayout("default", f"ex:default:development:{name}", run).root
    folder.mkdir(parents=True)
    (folder / "execution.json").write_text(json.dumps(context))
    if nodes is not None:
        (folder / "record.json").write_text(json.dumps({"nodes": nodes}))


def offered(*words: str) -> list[str]:
    *before, incomplete = words
    return sorted(item.value for item in ShellComplete(cli, {}, "flytemp", "_").get_completions(list(before), incomplete))


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["get", "execution", ""], ["failed-1", "nightly-1", "retried"]),
        (["logs", "n"], ["nightly-1"]),
        (["retry", ""], ["failed-1", "nightly-1", "retried"]),
        (["pause", ""], ["nightly-1", "retried"]),
        (["cancel", "f"], []),
        (["approve", "nightly-1", ""], ["looks-good"]),
        (["set-input", "nightly-1", "t"], ["threshold"]),
        (["approve", "unknown", ""], []),
        (["retry", "failed-1", ""], ["n1.n0"]),
    ],
)
def test_names_are_completed(words: list[str], names: list[str]) -> None:
    assert offered(*words) == names


def test_no_completions_without_executions(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLYTEMP_STORE", str(project / "none"))

    assert offered("get", "execution", "") == []
    assert offered("approve", "x", "") == []
