"""Run by a test: processes extract one bundle into one cache at the same moment, round by round."""

from __future__ import annotations

import multiprocessing
import sys
from multiprocessing.synchronize import Barrier
from pathlib import Path

from flytemp.bundle import extract
from flytemp.spec.models import BundleRef
from flytemp.store import open_store

PROCESSES = 3


def _race(uri: str, ref_json: str, cache: str, rounds: int, barrier: Barrier) -> None:
    store = open_store(uri)
    ref = BundleRef.model_validate_json(ref_json)
    try:
        for number in range(rounds):
            barrier.wait()
            folder = extract(store, ref, Path(cache) / str(number))
            text = (folder / "alias" / "__init__.py").read_text()
            if text != "VALUE = 7\n":
                raise AssertionError(f"round {number}: an incomplete bundle: {text!r}")
    except BaseException:
        barrier.abort()  # so that the others do not wait
        raise


def main() -> int:
    uri, ref_json, cache, rounds = sys.argv[1:]
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(PROCESSES, timeout=60)
    arguments = (uri, ref_json, cache, int(rounds), barrier)
    processes = [context.Process(target=_race, args=arguments) for _ in range(PROCESSES)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return int(any(process.exitcode != 0 for process in processes))


if __name__ == "__main__":
    sys.exit(main())
