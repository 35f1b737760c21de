"""`just bench`: see README.md."""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import processes
import scale
from rich.console import Console
from rich.table import Table
from temporalio.client import Client as TemporalClient

from flytemp.bundle import pack, store_bundle
from flytemp.registry import Registry
from flytemp.store import open_store
from flytemp.store.object_store import ObjectStore
from flytemp.temporal.search_attributes import add_search_attributes
from flytemp_activities.noop import NoopBackend
from flytemp_activities.process import ProcessBackend, ProcessOptions, new_worker_id
from flytemp_worker.devserver import start_dev_server
from installation import DOMAIN, PROJECT, VERSION, Installation, Row
from programs import STEP, document

SIZES = {"chain": (100, 300), "fan": (300, 1_000)}


async def slope(run: Callable[[str, int], Awaitable[float]], shape: str) -> float:
    """Return the milliseconds per node between the two sizes of ``shape``."""
    small, large = SIZES[shape]
    first = await run(shape, small)
    return (await run(shape, large) - first) / (large - small) * 1000


async def compare(installation: Installation, shape: str, pairs: int) -> tuple[float, float, float]:
    """Return the medians of flytemp's slope, the hand-written slope and their ratio over interleaved pairs."""
    await slope(installation.flytemp, shape)  # warm up, and create the folders that the hand-written workflow uses
    ours, theirs, ratios = [], [], []
    for pair in range(pairs):
        if pair % 2:
            theirs.append(await slope(installation.by_hand, shape))
            ours.append(await slope(installation.flytemp, shape))
        else:
            ours.append(await slope(installation.flytemp, shape))
            theirs.append(await slope(installation.by_hand, shape))
        ratios.append(ours[-1] / theirs[-1])
    return statistics.median(ours), statistics.median(theirs), statistics.median(ratios)


async def measure(label: str, tuned: bool, pairs: int, folder: Path) -> list[Row]:
    server = await asyncio.to_thread(
        start_dev_server, db=folder / f"{label}.db", port=0, ui_port=None, log=folder / f"{label}.log", tuned=tuned
    )
    try:
        async with AsyncExitStack() as stack:
            return await _measure(label, server.address, pairs, folder, stack)
    finally:
        await asyncio.to_thread(server.stop)


async def _measure(label: str, address: str, pairs: int, folder: Path, stack: AsyncExitStack) -> list[Row]:
    temporal = await TemporalClient.connect(address)
    await add_search_attributes(temporal)
    store = open_store(str(folder / f"{label}-store"))
    bundle = _register(store, folder)
    rows = []
    noop = Installation(temporal, store, f"{label}-noop", NoopBackend())
    await noop.enter(stack)
    for shape in SIZES:
        ours, theirs, ratio = await compare(noop, shape, pairs)
        rows.append(Row(f"{label}: {shape}, cost per node, engine over hand-written", ours, "ms", theirs, ratio))
    fixed = statistics.median([await noop.flytemp("chain", 1) for _ in range(pairs * 2)]) * 1000
    rows.append(Row(f"{label}: execution of one no-op node", fixed, "ms", None, None))
    options = ProcessOptions(slots=2, state_dir=folder)
    process = Installation(temporal, store, f"{label}-process", ProcessBackend(store, options, new_worker_id()))
    await process.enter(stack)
    await process.flytemp("chain", 100)
    added, bare = [], []
    for _ in range(pairs):
        with_process = await slope(process.flytemp, "chain")
        without = await slope(noop.flytemp, "chain")
        added.append(with_process - without)
        bare.append(without)
    reference = statistics.median(bare)
    rows += await processes.compare(temporal, store, label, folder, pairs, stack)
    rows.append(
        Row(
            f"{label}: chain, process backend adds per task",
            statistics.median(added),
            "ms",
            reference,
            statistics.median(added) / reference,
        )
    )
    del bundle
    return rows


async def measure_large(folder: Path, part: float) -> list[Row]:
    """Measure the cost per node of large executions relative to small ones; `just scale` uses the full size."""
    found = await scale.measure(list(scale.CASES), folder, part, False)
    return [
        Row(f"large: {row.name} of {row.nodes}, cost per node over the small size", row.ms_per_node, "ms",
            row.ms_per_node / row.ratio if row.ratio else None, row.ratio)
        for row in found
    ]  # fmt: skip


def _register(store: ObjectStore, folder: Path) -> Any:
    code = folder / "code"
    code.mkdir(exist_ok=True)
    (code / "bench_tasks.py").write_text(
        "from flytemp import task\n\n\n@task\ndef step(x: int) -> int:\n    return x + 1\n"
    )
    bundle = pack(code)
    store_bundle(store, bundle)
    documents = [
        document(shape, nodes).model_copy(update={"bundle": bundle.ref})
        for shape, nodes in [("chain", 1), *((shape, nodes) for shape, sizes in SIZES.items() for nodes in sizes)]
    ]
    assert STEP.loader == "bench_tasks:step"
    return Registry(store).register(documents, project=PROJECT, domain=DOMAIN, version=VERSION)


def show(rows: list[Row]) -> None:
    table = Table("name", "value", "unit", "reference", "ratio")
    for row in rows:
        reference = "" if row.reference is None else f"{row.reference:.2f}"
        table.add_row(
            row.name, f"{row.value:.2f}", row.unit, reference, "" if row.ratio is None else f"{row.ratio:.3f}"
        )
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer pairs, tuned server only")
    parser.add_argument("--output", type=Path, default=Path("bench-results.json"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="flytemp-bench-") as temporary:
        folder = Path(temporary)
        rows = asyncio.run(measure("tuned", True, 2 if arguments.quick else 7, folder))
        if not arguments.quick:
            rows += asyncio.run(measure("as shipped", False, 2, folder))
            rows += asyncio.run(measure_large(folder, 0.2))
    show(rows)
    arguments.output.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


if __name__ == "__main__":
    main()
