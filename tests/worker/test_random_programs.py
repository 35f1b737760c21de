"""Tests of random programs: a Python call, a local run and executions with and without chunks have the same result."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from flytemp.client import Client
from flytemp.compiler import compile_closure, load_program
from flytemp.config import load_settings
from flytemp.records.models import Execution
from flytemp.registry import Registry
from flytemp.spec.models import WorkflowDocument
from flytemp.store import open_store
from flytemp_worker.devserver import DevServer
from flytemp_worker.local import run_local
from tests.worker.random_source import Writer
from tests.worker.serving import ThreadBackend, serving

pytestmark = pytest.mark.e2e

PROGRAMS = int(os.environ.get("FLYTEMP_TEST_PROGRAMS", "4"))
INPUT = 5


def phases(execution: Execution) -> dict[str, tuple[str, int]]:
    return {node.id: (str(node.phase), node.attempts) for node in execution.nodes}


@pytest.mark.parametrize("seed", range(PROGRAMS))
async def test_random_program_has_one_result_everywhere(server: DevServer, tmp_path: Path, seed: int) -> None:
    module = f"random_program_{seed}"
    file = tmp_path / "src" / f"{module}.py"
    file.parent.mkdir()
    file.write_text(Writer(seed).program().replace("PREFIX", module))
    program = load_program([file])
    main = program.workflows[f"{module}.main"]
    documents = compile_closure(program, main, None)
    document = next(item for item in documents if isinstance(item, WorkflowDocument) and item.name == main.name)
    with program.activated():
        expected = main(x=INPUT)
        store = open_store(str(tmp_path / "local"))
        local = await asyncio.to_thread(
            run_local, document, {"x": INPUT}, store=store, project="default", domain="development", others=documents
        )
        assert local.outputs == {"o0": expected}, local.error
        whole = await _on_temporal(server, tmp_path / "whole", documents, main.name)
        pieces = await _on_temporal(
            server, tmp_path / "pieces", documents, main.name, continue_as_new_events=25, max_map_items=2
        )
    assert (whole.outputs, pieces.outputs) == ({"o0": expected}, {"o0": expected}), (whole.error, pieces.error)
    assert phases(whole) == phases(local)
    items = {node.id for node in whole.nodes} - {node.id for node in pieces.nodes}  # items of chunks have their own records
    assert phases(pieces) == {path: phase for path, phase in phases(whole).items() if path not in items}


async def _on_temporal(server: DevServer, folder: Path, documents: Any, name: str, **settings: Any) -> Execution:
    folder.mkdir()
    environ = {
        "TEMPORAL_ADDRESS": server.address, "FLYTEMP_STORE": str(folder / "store"), "FLYTEMP_TASK_QUEUE": str(folder),
    }  # fmt: skip
    client = await Client.connect(load_settings(folder, environ=environ))
    Registry(client.store).register(documents, project="default", domain="development", version="v1")
    async with serving(client, ThreadBackend(client.store), **settings):
        handle = await client.launch(name, inputs={"x": INPUT}, name=f"{folder.name}-{name.replace('.', '-').replace('_', '-')}")
        execution = await handle.wait(120)
    await client.close()
    return execution
