"""Run of a task without effect, in a forked process that waits for its order.

The first run of the runtime's code in a forked process takes three times as long as a second one, because the process copies each
page of memory that it writes to. A process that was forked ahead does that before its order arrives.
"""

from __future__ import annotations

from pathlib import Path

from flytemp.authoring.task import task
from flytemp.runtime.execute import ExecutionOptions, execute
from flytemp.runtime.invocation import Invocation
from flytemp.spec.tasks import Interface, TaskSpec
from flytemp.store.object_store import ObjectStore


@task
def increment(x: int) -> int:
    """Return the next integer."""
    return x + 1


class _MemoryStore(ObjectStore):
    """Store of the objects of one rehearsal."""

    def __init__(self) -> None:
        self.uri = "memory://rehearsal"
        self._objects: dict[str, bytes] = {}

    def read_or_none(self, key: str) -> bytes | None:
        return self._objects.get(key)

    def write(self, key: str, data: bytes) -> None:
        self._objects[key] = data

    def create(self, key: str, data: bytes) -> bool:
        return self._objects.setdefault(key, data) is data

    def exists(self, key: str) -> bool:
        return key in self._objects

    def delete(self, key: str) -> None:
        self._objects.pop(key, None)

    def list(self, folder: str, limit: int | None = None) -> list[str]:
        return []


def rehearse(scratch: Path) -> None:
    """Run a task of flytemp against a store in memory.

    Args:
        scratch: path of a folder, which is made and removed.
    """
    invocation = Invocation(
        store="memory://rehearsal",
        execution_root="rehearsal",
        node="n0",
        attempt=1,
        try_=1,
        task=TaskSpec(name="increment", interface=Interface(), loader=f"{__name__}:increment"),
        bundle=None,
        inputs={"x": {"literal": 1}},
        raw_data_prefix="memory://rehearsal/data",
        project="rehearsal",
        domain="rehearsal",
        execution="rehearsal",
        workflow="rehearsal",
        version="rehearsal",
        started_at="2026-01-01T00:00:00Z",
    )
    read = Invocation.read(invocation.model_dump_json())
    execute(read, _MemoryStore(), owner="rehearsal", options=ExecutionOptions(scratch=scratch))
