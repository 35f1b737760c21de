"""Client for programs without an event loop. It runs the asynchronous client in a thread of its own.

It can be used where a loop is already running, as in a notebook.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, ParamSpec, TypeVar, overload

from flytemp.authoring.launch_plan import LaunchPlan
from flytemp.authoring.task import Task
from flytemp.authoring.workflow import Workflow
from flytemp.client.client import Client
from flytemp.client.handle import ExecutionHandle
from flytemp.client.logs import LogChunk
from flytemp.client.registration import RegistrationResult
from flytemp.client.waiting_gates import WaitingGate
from flytemp.config import Settings
from flytemp.literals.types import Json, LiteralType
from flytemp.records.launch import LaunchOptions
from flytemp.records.models import Execution, ExecutionSummary, NodeExecution, Phase

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
S = TypeVar("S", covariant=True)


class _Loop:
    """Event loop in a daemon thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="flytemp-client", daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run the coroutine and return its result. An exception in the waiting thread, as Ctrl-C, cancels it."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        self.run(_cancel_remaining())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _cancel_remaining() -> None:
    """Cancel the tasks of abandoned calls and iterations before the loop stops."""
    remaining = asyncio.all_tasks() - {asyncio.current_task()}
    for task in remaining:
        task.cancel()
    await asyncio.gather(*remaining, return_exceptions=True)


class SyncExecutionHandle(Generic[S]):
    """Synchronous form of `ExecutionHandle`."""

    def __init__(self, loop: _Loop, handle: ExecutionHandle[Any]) -> None:
        self._loop = loop
        self._handle = handle
        self.name = handle.name
        self.workflow_id = handle.workflow_id

    def describe(self) -> Execution:
        """See `ExecutionHandle.describe`."""
        return self._loop.run(self._handle.describe())

    def nodes(self) -> list[NodeExecution]:
        """See `ExecutionHandle.nodes`."""
        return self._loop.run(self._handle.nodes())

    def wait(self, timeout: float | timedelta | None = None) -> Execution:
        """See `ExecutionHandle.wait`."""
        return self._loop.run(self._handle.wait(timeout))

    def outputs(self, timeout: float | timedelta | None = None) -> dict[str, Json]:
        """See `ExecutionHandle.outputs`."""
        return self._loop.run(self._handle.outputs(timeout))

    def result(self, timeout: float | timedelta | None = None) -> S:
        """See `ExecutionHandle.result`."""
        value: S = self._loop.run(self._handle.result(timeout))
        return value

    def watch(self) -> Iterator[Execution]:
        """See `ExecutionHandle.watch`."""
        yield from self._iterate(self._handle.watch())

    def logs(self, node: str | None = None, *, attempt: int | None = None, follow: bool = False) -> Iterator[LogChunk]:
        """See `ExecutionHandle.logs`."""
        yield from self._iterate(self._handle.logs(node, attempt=attempt, follow=follow))

    def gates(self) -> list[NodeExecution]:
        """See `ExecutionHandle.gates`."""
        return self._loop.run(self._handle.gates())

    def gate_type(self, gate: str) -> LiteralType | None:
        """See `ExecutionHandle.gate_type`."""
        return self._loop.run(self._handle.gate_type(gate))

    def approve(self, gate: str, reason: str | None = None) -> list[str]:
        """See `ExecutionHandle.approve`."""
        return self._loop.run(self._handle.approve(gate, reason))

    def reject(self, gate: str, reason: str | None = None) -> list[str]:
        """See `ExecutionHandle.reject`."""
        return self._loop.run(self._handle.reject(gate, reason))

    def set_input(self, gate: str, value: Any) -> list[str]:
        """See `ExecutionHandle.set_input`."""
        return self._loop.run(self._handle.set_input(gate, value))

    def pause(self, reason: str = "") -> None:
        """See `ExecutionHandle.pause`."""
        self._loop.run(self._handle.pause(reason))

    def resume(self) -> None:
        """See `ExecutionHandle.resume`."""
        self._loop.run(self._handle.resume())

    def retry(self, nodes: Sequence[str] | None = None) -> SyncExecutionHandle[S]:
        """See `ExecutionHandle.retry`."""
        self._loop.run(self._handle.retry(nodes))
        return self

    def cancel(self, reason: str = "") -> None:
        """See `ExecutionHandle.cancel`."""
        self._loop.run(self._handle.cancel(reason))

    def terminate(self, reason: str = "") -> None:
        """See `ExecutionHandle.terminate`."""
        self._loop.run(self._handle.terminate(reason))

    def _iterate(self, items: Any) -> Iterator[Any]:
        async def following() -> Any:
            return await anext(items, _END)

        try:
            while (item := self._loop.run(following())) is not _END:
                yield item
        finally:
            self._loop.run(items.aclose())


_END = object()


class SyncClient:
    """Synchronous form of `Client`. Use it as a context manager, or call `close`."""

    def __init__(self, loop: _Loop, client: Client) -> None:
        self._loop = loop
        self._client = client

    @classmethod
    def connect(cls, settings: Settings | None = None) -> SyncClient:
        """See `Client.connect`."""
        loop = _Loop()
        try:
            return cls(loop, loop.run(Client.connect(settings)))
        except BaseException:
            loop.close()
            raise

    def __enter__(self) -> SyncClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the client's thread. Handles of this client cannot be used any more."""
        self._loop.run(self._client.close())
        self._loop.close()

    def register(self, *paths: str | Path, version: str | None = None, dry_run: bool = False) -> RegistrationResult:
        """See `Client.register`."""
        return self._loop.run(self._client.register(*paths, version=version, dry_run=dry_run))

    @overload
    def launch(
        self, target: Workflow[P, R] | Task[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> SyncExecutionHandle[R]: ...

    @overload
    def launch(
        self,
        target: LaunchPlan[R] | Workflow[..., R] | Task[..., R],
        /,
        *,
        inputs: Mapping[str, Any] | None = None,
        name: str | None = None,
        version: str | None = None,
        options: LaunchOptions | None = None,
    ) -> SyncExecutionHandle[R]: ...

    @overload
    def launch(
        self,
        target: str,
        /,
        *,
        inputs: Mapping[str, Any] | None = None,
        name: str | None = None,
        version: str | None = None,
        options: LaunchOptions | None = None,
    ) -> SyncExecutionHandle[Any]: ...

    def launch(self, target: Any, /, *args: Any, **kwargs: Any) -> SyncExecutionHandle[Any]:
        """See `Client.launch`."""
        return SyncExecutionHandle(self._loop, self._loop.run(self._client.launch(target, *args, **kwargs)))

    def execution(
        self, name: str, *, project: str | None = None, domain: str | None = None
    ) -> SyncExecutionHandle[Any]:
        """See `Client.execution`."""
        return SyncExecutionHandle(self._loop, self._client.execution(name, project=project, domain=domain))

    def find(self, name: str) -> SyncExecutionHandle[Any]:
        """See `Client.find`."""
        return SyncExecutionHandle(self._loop, self._loop.run(self._client.find(name)))

    def executions(
        self, *, limit: int = 50, phase: Phase | None = None, workflow: str | None = None
    ) -> list[ExecutionSummary]:
        """See `Client.executions`."""
        return self._loop.run(self._client.executions(limit=limit, phase=phase, workflow=workflow))

    def waiting_gates(self, *, limit: int = 50) -> list[WaitingGate]:
        """See `Client.waiting_gates`."""
        return self._loop.run(self._client.waiting_gates(limit=limit))
