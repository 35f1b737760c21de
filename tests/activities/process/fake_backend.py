"""A process with a process backend that runs the given invocations and prints their reports.

``python fake_backend.py <store> <state folder> <scratch folder> <lease seconds> <invocation JSON>…``; each line of its output is
JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from flytemp.runtime.invocation import Invocation
from flytemp.store import open_store
from flytemp_activities.backend import SystemFailure
from flytemp_activities.process import ProcessBackend, ProcessOptions


def say(**fields: Any) -> None:
    print(json.dumps(fields), flush=True)


async def main(store: str, state: str, scratch: str, lease_seconds: str, *invocations: str) -> None:
    options = ProcessOptions(
        slots=4,
        state_dir=Path(state),
        scratch_folder=Path(scratch),
        grace_seconds=1.0,
        lease_seconds=float(lease_seconds),
    )
    backend = ProcessBackend(open_store(store), options, "stand-in")
    await backend.start()
    assert backend._guard is not None
    say(owner=backend.owner, guard=backend._guard.pid)
    runs = [
        backend.run(Invocation.model_validate_json(text), resumed=False, report=lambda report: say(**report))
        for text in invocations
    ]
    for outcome in await asyncio.gather(*runs, return_exceptions=True):
        if isinstance(outcome, SystemFailure):
            say(lost=outcome.error.message)
        elif isinstance(outcome, BaseException):
            raise outcome
        else:
            say(result=outcome.model_dump(mode="json"))
    await backend.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
