"""The engine runs inside of workflow code, and in programs that have no server: it brings nothing along."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
from flytemp_worker.engine import Engine, Plan, TaskSucceeded
from flytemp_worker.engine import snapshot
plan = Plan({"root": "wf", "graphs": {"wf": {"nodes": [{"id": "n0", "kind": "task", "target": "t"}]}}})
engine = Engine(plan, {})
engine.begin(0)
snapshot.restore(plan, snapshot.state(engine)).resume(0)
(finish,) = engine.step(TaskSucceeded("n0", 1, 1, {}, 2), 1)
print(finish.phase)
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


def test_the_engine_brings_no_event_loop_no_temporal_no_pydantic_and_no_io_along() -> None:
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    phase, modules = run.stdout.splitlines()
    assert phase == "SUCCEEDED"
    assert "flytemp_worker" in modules.split()
    assert not set(modules.split()) & {"asyncio", "temporalio", "pydantic", "fsspec", "socket", "subprocess", "click"}
