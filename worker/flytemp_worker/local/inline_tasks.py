"""Tasks, I/O requests and gates of local runs."""

from __future__ import annotations

import contextlib
import functools
import getpass
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from flytemp.authoring.entity_registry import ProgramEntities, collect_into
from flytemp.bundle.extraction import extract
from flytemp.compiler.imports import ModuleSpace
from flytemp.errors import FlytempError
from flytemp.literals.types import Json
from flytemp.protocol.io_requests import IO_REQUESTS
from flytemp.records.launch import ExecutionContext
from flytemp.runtime.build_invocation import TryRequest, build_invocation
from flytemp.runtime.execute import ExecutionOptions, execute
from flytemp.runtime.inputs import BindingReader
from flytemp.runtime.invocation import Invocation
from flytemp.runtime.task_run import temporary_bundles
from flytemp.spec.models import BundleRef
from flytemp.spec.pages import from_pages
from flytemp_activities.executions import Executions, inline_bytes, task_of
from flytemp_activities.io_requests import IORequests
from flytemp_worker.engine.errors import Error, from_exception
from flytemp_worker.engine.machine import Engine
from flytemp_worker.engine.messages import (
    Event,
    GateAnswered,
    IOCompleted,
    RequestIO,
    RunTask,
    TaskFailed,
    TaskLost,
    TaskSucceeded,
)
from flytemp_worker.engine.values import BindingResolver


class InlineTaskRunner:
    """Runner of tries in this process; it keeps the tracebacks of failed tries by node."""

    def __init__(self, context: ExecutionContext, root: str, executions: Executions) -> None:
        self._context = context
        self._root = root
        self._executions = executions
        self.tracebacks: dict[str, str | None] = {}

    def run(self, command: RunTask) -> Event:
        """Run one try and return its event."""
        key = (command.node, command.attempt, command.try_)
        try:
            invocation = self._invocation(command)
            with _environment(invocation.environment), self._importable(invocation.bundle):
                owner = f"local-{os.getpid()}"
                options = ExecutionOptions(interruptible=True, patience_seconds=0)
                result = execute(invocation, self._executions.store, owner=owner, options=options)
        except FlytempError as failure:
            return TaskFailed(*key, from_exception(failure, kind="SYSTEM", retryable=True))
        if result is None:
            return TaskLost(*key, "another process claimed the try")
        if result.status == "succeeded":
            return TaskSucceeded(*key, result.outputs, inline_bytes(result.outputs))
        assert result.error is not None
        error = result.error
        self.tracebacks[command.node] = error.traceback
        detail: Error = {"kind": error.kind, "code": error.code, "message": error.message, "retryable": error.retryable}
        if error.failed_items is not None:
            detail["failed_items"] = list(error.failed_items)
        return TaskFailed(*key, detail)

    @contextlib.contextmanager
    def _importable(self, bundle: BundleRef | None) -> Iterator[None]:
        """Make the modules of another program importable, from its code bundle and apart from those of this program."""
        if bundle is None:
            yield
            return
        folder = extract(self._executions.store, bundle, temporary_bundles())
        space, created = _program(folder.resolve(), bundle.import_roots)
        with space.activated(), collect_into(created):
            yield

    def _invocation(self, command: RunTask) -> Invocation:
        document = self._executions.document_in(self._root, command.source)
        task = task_of(document, command.graph, command.local, command.task)
        request = TryRequest(
            execution_root=self._root,
            node=command.node,
            attempt=command.attempt,
            try_=command.try_,
            inputs=command.inputs,
            items=command.items,
        )
        constants = self._executions.constants(self._root)
        return build_invocation(request, task, document, self._context, store=self._executions.store.uri, constants=constants)


class IORequestHandler:
    """Handler of the engine's I/O requests and gates."""

    def __init__(self, root: str, executions: Executions) -> None:
        self._root = root
        self._executions = executions
        self._requests = IORequests(executions)

    def answer(self, command: RequestIO) -> IOCompleted:
        argument = {"execution": self._root, "node": command.node, "attempt": command.attempt, **command.argument}
        try:
            given = self._requests.perform(IO_REQUESTS[command.operation], argument)
        except FlytempError as error:
            return IOCompleted(command.node, command.operation, error=from_exception(error))
        return IOCompleted(
            command.node, command.operation, from_pages(given["pages"]) if command.operation == "expand" else given
        )

    def stored(self, uri: str) -> dict[str, Json]:
        """Return a stored object by the URI in an answer."""
        store = self._executions.store
        found: dict[str, Json] = json.loads(store.read(uri.removeprefix(f"{store.uri}/")))
        return found

    def ask_gate(self, engine: Engine, ask: Callable[[dict[str, Any], Json], dict[str, Json]]) -> GateAnswered:
        """Answer the first gate that waits.

        Raises:
            InputError: there is no answer.
        """
        path, node = next(iter(engine.waiting.items()))
        assert node.plan.gate is not None
        value = None
        if node.plan.gate["kind"] == "approve":
            closed = BindingResolver().resolve(node.bindings["value"], node.scope.lexical)
            constants = self._executions.constants(self._root)
            value = BindingReader(self._executions.store, self._root, constants).read(closed)
        given = ask(node.plan.gate, value)
        return GateAnswered(path, {"by": _user(), "at": time.time_ns() // 1_000_000, **given})


@functools.cache
def _program(folder: Path, import_roots: tuple[str, ...]) -> tuple[ModuleSpace, ProgramEntities]:
    """Return the modules of another program, which are imported once, and the collection of their entities."""
    return ModuleSpace([(folder / root).resolve() for root in import_roots]), ProgramEntities()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # the user of a container may have no name
        return ""


@contextlib.contextmanager
def _environment(environment: Mapping[str, str]) -> Iterator[None]:
    """Set the task's environment variables; restore the environment and the working folder afterwards."""
    folder, variables = os.getcwd(), dict(os.environ)
    os.environ.update(environment)
    try:
        yield
    finally:
        os.chdir(folder)
        for name in os.environ.keys() - variables.keys():
            del os.environ[name]
        os.environ.update(variables)
