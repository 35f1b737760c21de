"""Records the golden histories: `python -m tests.replay.record`. Run it for a new version, and commit what it writes.

A recorded history is never changed afterwards: it stands for runs that are under way somewhere.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import tempfile
from pathlib import Path
from typing import Any

from flytemp.client import Client
from tests.e2e.programs import write_program
from tests.installation import DEADLINE_SECONDS, Installation

HISTORIES = Path(__file__).parent / "histories"
VERSION = "0.1"

SCENARIOS: dict[str, tuple[str, dict[str, Any]]] = {
    "diamond": ("shapes.diamond", {"x": 3}),
    "nested": ("shapes.nested", {"x": 1}),
    "retries": ("shapes.flaky", {"folder": "FOLDER/flaky"}),
    "failure": ("shapes.breaks", {"x": 4}),
    "by-reference": ("shapes.by_reference", {"n": 20_000}),
    "empty": ("shapes.empty", {}),
}


async def record(installation: Installation, folder: Path) -> None:
    client = await installation.client()
    for name, (target, inputs) in SCENARIOS.items():
        given = {key: value.replace("FOLDER", str(folder)) if isinstance(value, str) else value for key, value in inputs.items()}
        handle = await client.launch(target, inputs=given, name=f"golden-{name}")
        await handle.wait(DEADLINE_SECONDS)
        await save(client, handle.workflow_id, name)
    handle = await client.launch("waiting", inputs={"folder": str(folder / "waiting")}, name="golden-cancelled")
    while not (folder / "waiting").exists():
        await handle.describe()
    await handle.cancel("recorded")
    await handle.wait(DEADLINE_SECONDS)
    await save(client, handle.workflow_id, "cancelled")


async def save(client: Client, workflow_id: str, name: str) -> None:
    """All runs of a workflow id, the continued ones too."""
    runs = [run async for run in client.temporal.list_workflows(f"WorkflowId = '{workflow_id}'")]
    for number, run in enumerate(sorted(runs, key=lambda run: run.start_time)):
        history = await client.temporal.get_workflow_handle(workflow_id, run_id=run.run_id).fetch_history()
        text = re.sub(r'"identity": ?"[^"]*"', '"identity": "worker"', history.to_json())
        data = {"workflow_id": workflow_id, "history": json.loads(text)}
        HISTORIES.mkdir(exist_ok=True)
        file = HISTORIES / f"{VERSION}-{name}-{number}.json.gz"
        file.write_bytes(gzip.compress(json.dumps(data, sort_keys=True).encode(), mtime=0))


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="golden-") as temporary:
        folder = Path(temporary)
        installation = Installation.start(folder / "installation")
        try:
            installation.flytemp("setup")
            installation.flytemp("register", str(write_program(folder / "project").parent))
            # A low threshold, so that some of them continue as new.
            installation.start_worker({"FLYTEMP_WORKER_CONTINUE_AS_NEW_EVENTS": "30"})
            asyncio.run(record(installation, folder))
        finally:
            installation.stop()


if __name__ == "__main__":
    main()
