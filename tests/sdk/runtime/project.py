"""Programs of users, and invocations of their tasks."""

from __future__ import annotations

import itertools
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from flytemp.bundle import pack, store_bundle
from flytemp.layout import ExecutionLayout
from flytemp.runtime.invocation import Invocation
from flytemp.spec.models import BundleRef, Interface, TaskSettings, TaskSpec
from flytemp.store.object_store import ObjectStore

T = TypeVar("T")

DEADLINE_SECONDS = 60.0
"""Maximum time for which a test waits; only a broken program reaches it."""

_numbers = itertools.count(1)


def eventually(condition: Callable[[], T], what: str) -> T:
    """Wait for the first true value of ``condition`` and return it."""
    end = time.monotonic() + DEADLINE_SECONDS
    pause = threading.Event()
    while not (value := condition()):
        assert time.monotonic() < end, f"never happened: {what}"
        pause.wait(0.01)
    return value


class Project:
    """A folder of source files, and invocations of its tasks. The names of its modules are unique."""

    def __init__(self, folder: Path, store: ObjectStore) -> None:
        self.number = next(_numbers)
        self.folder = folder / f"project{self.number}"
        self.folder.mkdir(parents=True)
        self.store = store
        self.module = f"program{self.number}"
        self.layout = ExecutionLayout("default", f"ex:p:d:run{self.number}", "first-run")
        self._ref: BundleRef | None = None

    def write(self, source: str, name: str | None = None) -> None:
        """Write the project's main module, or the file ``name``."""
        path = self.folder / (name or f"{self.module}.py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source))
        self._ref = None

    def bundle(self) -> BundleRef:
        if self._ref is None:
            packed = pack(self.folder)
            store_bundle(self.store, packed)
            self._ref = packed.ref
        return self._ref

    def invocation(
        self,
        task: str,
        inputs: dict[str, Any] | None = None,
        *,
        closed: dict[str, Any] | None = None,
        node: str = "n0",
        attempt: int = 1,
        try_: int = 1,
        settings: TaskSettings | None = None,
        **changes: Any,
    ) -> Invocation:
        """Return a try of ``task``: "function" of the main module, or "module:function".

        ``inputs`` are literals, ``closed`` closed values.
        """
        loader = task if ":" in task else f"{self.module}:{task}"
        fields: dict[str, Any] = {
            "store": self.store.uri,
            "execution_root": self.layout.root,
            "node": node,
            "attempt": attempt,
            "try_": try_,
            "task": TaskSpec(
                name=loader.replace(":", "."),
                interface=Interface(),
                loader=loader,
                settings=settings or TaskSettings(),
            ),
            "bundle": self.bundle(),
            "inputs": {name: {"literal": value} for name, value in (inputs or {}).items()} if closed is None else closed,
            "raw_data_prefix": f"{self.store.uri}/data/{self.number}/{node}",
            "project": "p",
            "domain": "d",
            "execution": f"run{self.number}",
            "workflow": "wf",
            "version": "v1",
            "started_at": "2026-01-31T12:00:00Z",
        }
        return Invocation(**{**fields, **changes})
