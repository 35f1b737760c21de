"""Cost of a task by what it reuses of a process: a fork per task, a shared process, and a fresh process per task."""

from __future__ import annotations

import importlib.util
import statistics
from contextlib import AsyncExitStack
from pathlib import Path
from typing import get_args

from temporalio.client import Client as TemporalClient

from flytemp.bundle import pack, store_bundle
from flytemp.registry import Registry
from flytemp.spec.models import TaskSettings
from flytemp.spec.tasks import Reuse
from flytemp.store.object_store import ObjectStore
from flytemp_activities.process import ProcessBackend, ProcessOptions, new_worker_id
from installation import DOMAIN, PROJECT, VERSION, Installation, Row
from programs import STEP, document

SIZES: dict[Reuse, tuple[int, int]] = {"imports": (20, 120), "process": (20, 120), "nothing": (2, 8)}
"""Numbers of nodes of the two chains whose difference is the cost of a node."""

LIBRARIES = ("numpy", "pandas", "pyarrow", "polars", "sklearn")
_SOURCE = "from flytemp import task\n\n\n@task\ndef step(x: int) -> int:\n    return x + 1\n"


async def compare(
    temporal: TemporalClient, store: ObjectStore, label: str, folder: Path, pairs: int, stack: AsyncExitStack
) -> list[Row]:
    """Return the cost of a node in a chain of tasks for each kind of reuse, over interleaved rounds.

    If the libraries are installed, a second program imports them.
    """
    programs = {"plain": ""}
    if all(importlib.util.find_spec(name) for name in LIBRARIES):
        programs["libraries"] = f"import {', '.join(LIBRARIES)}\n"
    _register(store, folder, programs)
    options = ProcessOptions(slots=2, state_dir=folder, pass_environment=("PYTHONPATH",), start_timeout_seconds=300)
    installation = Installation(temporal, store, f"{label}-reuse", ProcessBackend(store, options, new_worker_id()))
    await installation.enter(stack)
    rows: list[Row] = []
    for program in programs:
        cost = await _costs(installation, program, pairs)
        for reuse, over in (("imports", "process"), ("imports", "nothing")):
            name = f"{label}: chain of processes ({program}), reuse={reuse!r} over reuse={over!r}, cost per node"
            rows.append(Row(name, cost[reuse], "ms", cost[over], cost[reuse] / cost[over]))
    return rows


async def _costs(installation: Installation, program: str, pairs: int) -> dict[str, float]:
    """Return the medians of the cost per node in milliseconds, by the kind of reuse."""
    found: dict[str, list[float]] = {reuse: [] for reuse in SIZES}
    for reuse in SIZES:
        await installation.flytemp(f"chain_{program}_{reuse}", SIZES[reuse][0])
    for _ in range(pairs):
        for reuse, (small, large) in SIZES.items():
            first = await installation.flytemp(f"chain_{program}_{reuse}", small)
            second = await installation.flytemp(f"chain_{program}_{reuse}", large)
            found[reuse].append((second - first) / (large - small) * 1000)
    return {reuse: statistics.median(costs) for reuse, costs in found.items()}


def _register(store: ObjectStore, folder: Path, programs: dict[str, str]) -> None:
    code = folder / "code-of-processes"
    code.mkdir(exist_ok=True)
    for program, imports in programs.items():
        (code / f"bench_{program}.py").write_text(imports + _SOURCE)
    bundle = pack(code)
    store_bundle(store, bundle)
    documents = []
    for program in programs:
        for reuse in get_args(Reuse):
            settings = TaskSettings(reuse=reuse)
            name = f"bench.{program}.{reuse}"
            task = STEP.model_copy(update={"name": name, "loader": f"bench_{program}:step", "settings": settings})
            documents += [document(f"chain_{program}_{reuse}", nodes, task) for nodes in SIZES[reuse]]
    bundled = [found.model_copy(update={"bundle": bundle.ref}) for found in documents]
    Registry(store).register(bundled, project=PROJECT, domain=DOMAIN, version=VERSION)
