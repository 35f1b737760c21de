"""Purity of the engine, which runs in workflow code and in programs without a server."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
from flytemp_worker.engine import snapshot
from flytemp_worker.node_kinds import new_engine
from flytemp_worker.engine.messages import TaskSucceeded
from flytemp_worker.engine.plan import Plan
plan = Plan({"root": "wf", "graphs": {"wf": {"nodes": [{"id": "n0", "kind": "task", "target": "t"}]}}})
engine = new_engine(plan, {})
engine.begin(0)
restored = new_engine(plan, {})
snapshot.fill(restored, snapshot.state(engine))
restored.resume(0)
(finish,) = engine.step(TaskSucceeded("n0", 1, 1, {}, 2), 1)
print(finish.phase)
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


def test_engine_imports_no_event_loop_temporal_pydantic_or_io() -> None:
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    phase, modules = run.stdout.splitlines()
    assert phase == "SUCCEEDED"
    assert "flytemp_worker" in modules.split()
    assert not set(modules.split()) & {"asyncio", "temporalio", "pydantic", "fsspec", "socket", "subprocess", "click"}
