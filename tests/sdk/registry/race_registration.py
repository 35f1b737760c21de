"""Program of a test: processes register programs under one version at the same moment, in several rounds.

Prints one JSON line per round: the result of each process, by its number.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
from collections.abc import Sequence
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier

from flytemp.errors import AlreadyExists
from flytemp.registry import Registry
from flytemp.spec.models import Interface, TaskDocument, TaskSpec
from flytemp.store import open_store


def documents(contents: Sequence[tuple[str, str]]) -> list[TaskDocument]:
    """One task per (name, loader)."""
    return [TaskDocument(task=TaskSpec(name=name, interface=Interface(), loader=loader)) for name, loader in contents]


def _race(
    number: int,
    uri: str,
    contents: list[tuple[str, str]],
    rounds: int,
    barrier: Barrier,
    results: Queue[tuple[int, int, str]],
) -> None:
    registry = Registry(open_store(uri))
    try:
        for round_ in range(rounds):
            barrier.wait()
            try:
                entries = registry.register(documents(contents), project="p", domain="d", version=f"v{round_}")
                result = ",".join(entry.status for entry in entries)
            except AlreadyExists as error:
                result = f"refused: {error}"
            results.put((round_, number, result))
    except BaseException:
        barrier.abort()  # else the others would wait for this one
        raise


def main() -> int:
    uri, rounds, contents = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(len(contents), timeout=60)
    results: Queue[tuple[int, int, str]] = context.Queue()
    processes = [
        context.Process(target=_race, args=(number, uri, program, rounds, barrier, results))
        for number, program in enumerate(contents)
    ]
    for process in processes:
        process.start()
    met: dict[int, dict[int, str]] = {round_: {} for round_ in range(rounds)}
    for _ in range(rounds * len(contents)):
        round_, number, result = results.get(timeout=90)
        met[round_][number] = result
    for process in processes:
        process.join()
    for round_ in range(rounds):
        print(json.dumps([met[round_][number] for number in range(len(contents))]))
    return int(any(process.exitcode != 0 for process in processes))


if __name__ == "__main__":
    sys.exit(main())
