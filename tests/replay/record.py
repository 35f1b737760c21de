"""Recorder of the golden histories: ``python -m tests.replay.record``.

The command records the scenarios that have no history of `VERSION`, and needs about two minutes. A recorded history stands for
executions of users that are in progress, so it is not changed after the release of its version. Before the release, run
``python -m tests.replay.record --replace``, which deletes the histories of `VERSION` and records all of them again.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from flytemp.client import Client, LaunchOptions
from tests.e2e.programs import write_program
from tests.installation import DEADLINE_SECONDS, Installation
from tests.worker.serving import ThreadBackend, serving

HISTORIES = Path(__file__).parent / "histories"
VERSION = "0.1"

SCENARIOS: dict[str, tuple[str, dict[str, Any]]] = {
    "diamond": ("shapes.diamond", {"x": 3}),
    "nested": ("shapes.nested", {"x": 1}),
    "retries": ("shapes.flaky", {"folder": "FOLDER/flaky"}),
    "failure": ("shapes.breaks", {"x": 4}),
    "by-reference": ("shapes.by_reference", {"n": 20_000}),
    "empty": ("shapes.empty", {}),
    "branch": ("kinds.chosen", {"x": 12}),
    "branch-read": ("kinds.chosen_by_large", {"n": 3_000}),
    "map": ("kinds.mapped", {"xs": [1, 2, 3]}),
    "map-failures": ("kinds.some_fail", {"xs": [1, 2, 3, 4]}),
    "map-groups": ("kinds.grouped", {"xs": [1, 2, 3, 4, 5]}),
    "map-stored": ("kinds.mapped_texts", {"n": 20}),
    "map-chunks": ("kinds.mapped_range", {"n": 11}),
    "map-too-many-failures": ("kinds.all_must", {"xs": [1, 2, 3]}),
    "dynamic": ("kinds.sorted_numbers", {"xs": [3, 1, 2]}),
    "launch-plan": ("kinds.parent", {"x": 1}),
    "sleep": ("kinds.slept", {"x": 1}),
    "handler": ("kinds.guarded", {"x": 1}),
    "deadline": ("kinds.hurried", {"x": 1}),
    "timeout": ("kinds.impatient", {"x": 1}),
}


def is_recorded(name: str) -> bool:
    """Return True if the scenario has a history."""
    return bool(list(HISTORIES.glob(f"{VERSION}-{name}-[0-9]*.json.gz")))


async def record(installation: Installation, folder: Path) -> None:
    client = await installation.client()
    for name, (target, inputs) in SCENARIOS.items():
        if is_recorded(name):
            continue
        given = {key: value.replace("FOLDER", str(folder)) if isinstance(value, str) else value for key, value in inputs.items()}
        handle = await client.launch(target, inputs=given, name=f"golden-{name}")
        await handle.wait(DEADLINE_SECONDS)
        await save(client, handle.workflow_id, name)
    if not is_recorded("cancelled"):
        await _cancelled(client, folder)
    for name, inputs in (("gates", {"x": 1}), ("gates-map", {"xs": [1, 2, 3, 4, 5]})):
        if not is_recorded(name):
            await _answered(client, name, "kinds.gated" if name == "gates" else "kinds.gated_items", inputs)
    if not is_recorded("retried"):
        await _retried(client, folder)
    if not is_recorded("early-start"):
        await _many(installation, "early-start", 80, starts_ahead=1_000)
    if not is_recorded("many"):
        await _many(installation, "many", 200, starts_ahead=0)


async def _cancelled(client: Client, folder: Path) -> None:
    handle = await client.launch("waiting", inputs={"folder": str(folder / "waiting")}, name="golden-cancelled")
    while not (folder / "waiting").exists():
        await handle.describe()
    await handle.cancel("recorded")
    await handle.wait(DEADLINE_SECONDS)
    await save(client, handle.workflow_id, "cancelled")


async def _answered(client: Client, name: str, target: str, inputs: dict[str, Any]) -> None:
    """Record a pause and its end, an answer before its gate opens and one after."""
    handle = await client.launch(target, inputs=inputs, name=f"golden-{name}")
    await handle.approve("good")
    await handle.pause("recorded")
    await handle.resume()
    while not any(gate.phase == "RUNNING" for gate in await handle.gates()) and name == "gates":
        await asyncio.sleep(0.1)
    await handle.set_input("more", 3)
    await handle.wait(DEADLINE_SECONDS)
    await save(client, handle.workflow_id, name)


async def _retried(client: Client, folder: Path) -> None:
    """Record an execution that failed and is retried."""
    handle = await client.launch("kinds.mended", inputs={"file": str(folder / "mended")}, name="golden-retried")
    await handle.wait(DEADLINE_SECONDS)
    (folder / "mended").touch()
    handle = await handle.retry()
    await handle.wait(DEADLINE_SECONDS)
    await save(client, handle.workflow_id, "retried")


async def _many(installation: Installation, name: str, count: int, *, starts_ahead: int) -> None:
    """Record more tasks than the initial window; with ``starts_ahead``, tries are started early as on a worker with pods."""
    client = await Client.connect(installation.settings({"FLYTEMP_TASK_QUEUE": f"golden-{name}"}))
    async with serving(client, ThreadBackend(client.store), starts_ahead=starts_ahead):
        inputs, options = {"xs": [1] * count}, LaunchOptions(max_parallelism=0)
        handle = await client.launch("kinds.all_must", inputs=inputs, options=options, name=f"golden-{name}")
        await handle.wait(DEADLINE_SECONDS)
        await save(client, handle.workflow_id, name)


async def save(client: Client, workflow_id: str, name: str) -> None:
    """Write the histories of all runs of a workflow and of its children."""
    await asyncio.sleep(2)  # until the runs can be listed
    query = f"WorkflowId STARTS_WITH '{workflow_id}'"
    runs = [run async for run in client.temporal.list_workflows(query)]
    for number, run in enumerate(sorted(runs, key=lambda run: run.start_time)):
        history = await client.temporal.get_workflow_handle(run.id, run_id=run.run_id).fetch_history()
        text = re.sub(r'"identity": ?"[^"]*"', '"identity": "worker"', history.to_json())
        data = {"workflow_id": run.id, "history": json.loads(text)}
        HISTORIES.mkdir(exist_ok=True)
        file = HISTORIES / f"{VERSION}-{name}-{number}.json.gz"
        file.write_bytes(gzip.compress(json.dumps(data, sort_keys=True).encode(), mtime=0))


def main() -> None:
    """Record the scenarios."""
    if "--replace" in sys.argv[1:]:
        for file in HISTORIES.glob(f"{VERSION}-*.json.gz"):
            file.unlink()
    with tempfile.TemporaryDirectory(prefix="golden-") as temporary:
        folder = Path(temporary)
        installation = Installation.start(folder / "installation")
        try:
            installation.flytemp("setup")
            installation.flytemp("register", str(write_program(folder / "project").parent))
            installation.flytemp("register", str(Path(__file__).parent / "programs"))
            # Low thresholds, so that some executions continue as new and maps have chunks.
            small = {"FLYTEMP_WORKER_CONTINUE_AS_NEW_EVENTS": "30", "FLYTEMP_WORKER_MAX_MAP_ITEMS": "4"}
            installation.start_worker(small)
            asyncio.run(record(installation, folder))
        finally:
            installation.stop()


if __name__ == "__main__":
    main()
