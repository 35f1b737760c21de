"""`flytemp run --local`: the same engine and the same task runtime, in this one process, without a server.

Tasks run one after another in the main thread, so a breakpoint works. Retries, back-off, conversions, results and
records are those of a run on Temporal; time-outs are not enforced, for nothing could stop the code from outside.
"""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from flytemp.client.inputs import merge_inputs
from flytemp.client.options import effective_options
from flytemp.errors import FlytempError
from flytemp.layout import ExecutionLayout
from flytemp.literals.types import Json
from flytemp.names import workflow_id
from flytemp.records.frame import execution_of
from flytemp.records.launch import ExecutionContext, LaunchOptions, raw_data_uri
from flytemp.records.models import Execution, Phase
from flytemp.records.nodes import error_info, nodes_from_rows, when
from flytemp.runtime.execute import Surroundings, execute
from flytemp.runtime.invocation import Invocation
from flytemp.spec.models import Document, LaunchPlanDocument, TaskDocument, WorkflowDocument
from flytemp.spec.plan import around_task, plan_of
from flytemp.store.object_store import ObjectStore
from flytemp_activities.close import final_outputs
from flytemp_activities.executions import inline_bytes, task_of
from flytemp_activities.failures import error_detail
from flytemp_activities.tasks import with_constants
from flytemp_worker.engine import (
    CancelRequested,
    CancelTask,
    Command,
    Engine,
    Event,
    Finish,
    Plan,
    RunTask,
    StartTimer,
    TaskCancelled,
    TaskFailed,
    TaskLost,
    TaskSucceeded,
    TimerFired,
    rows,
)

NAMESPACE = "local"

Key = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class LocalLaunch:
    """What is run: the entity that was asked for, and the workflow document behind it (the same, but for a launch plan)."""

    entity: Document
    document: WorkflowDocument | TaskDocument
    inputs: dict[str, Json]
    project: str
    domain: str
    name: str
    version: str = "local"
    options: LaunchOptions = field(default_factory=LaunchOptions)


def run_local(
    document: Document,
    literals: dict[str, Json],
    *,
    store: ObjectStore,
    project: str,
    domain: str,
    workflow: WorkflowDocument | None = None,
    name: str | None = None,
    options: LaunchOptions | None = None,
    on_change: Callable[[Execution], None] | None = None,
) -> Execution:
    """Run to the end and return the execution, recorded in ``store`` like any other.

    Args:
        document: a workflow, a task or a launch plan.
        literals: the caller's inputs.
        store: where inputs, results and files go.
        project: of the execution.
        domain: of the execution.
        workflow: the launch plan's workflow, when ``document`` is a launch plan.
        name: of the execution; generated when None.
        options: as for any launch.
        on_change: hears of the execution after every step.

    Raises:
        InputError: an input is unknown, missing or of the wrong type.
    """
    ran = workflow if isinstance(document, LaunchPlanDocument) else document
    assert ran is not None
    assert not isinstance(ran, LaunchPlanDocument)
    chosen = effective_options(options or LaunchOptions(), document, ran)
    launch = LocalLaunch(
        document, ran, merge_inputs(document, literals), project, domain, name or f"local-{uuid.uuid4().hex[:12]}",
        options=chosen,
    )  # fmt: skip
    return _LocalRun(launch, store, on_change).run()


class _LocalRun:
    """The loop between the engine and the runtime: what the Temporal shell is elsewhere."""

    def __init__(self, launch: LocalLaunch, store: ObjectStore, on_change: Callable[[Execution], None] | None) -> None:
        self._store = store
        self._on_change = on_change
        self._document = around_task(launch.document) if isinstance(launch.document, TaskDocument) else launch.document
        identifier = workflow_id(launch.project, launch.domain, launch.name)
        self._layout = ExecutionLayout(NAMESPACE, identifier, str(uuid.uuid4()))
        self._context = self._make_context(launch)
        self._plan_json = plan_of(self._document)
        parallelism = launch.options.max_parallelism
        self._engine = Engine(
            Plan(self._plan_json),
            launch.inputs,
            max_parallelism=25 if parallelism is None else parallelism,
            max_system_tries=1,
        )
        self._finish: Finish | None = None
        self._pending: dict[Key, RunTask] = {}
        self._timers: dict[Key, float] = {}
        self._stopped: deque[TaskCancelled] = deque()
        self._tracebacks: dict[str, str | None] = {}

    def _make_context(self, launch: LocalLaunch) -> ExecutionContext:
        return ExecutionContext(
            execution=launch.name,
            project=launch.project,
            domain=launch.domain,
            entity=launch.entity.name,
            spec=self._document.name,
            workflow=self._document.name,
            version=launch.version,
            launch_plan=launch.entity.name if isinstance(launch.entity, LaunchPlanDocument) else None,
            inputs=launch.inputs,
            options=launch.options,
            labels=launch.options.labels or {},
            annotations=launch.options.annotations or {},
            raw_data_prefix=(launch.options.raw_data_prefix or self._store.uri_of("data")).rstrip("/"),
            namespace=NAMESPACE,
            workflow_id=self._layout.workflow_id,
            first_run_id=self._layout.first_run_id,
            started_at=datetime.now(UTC).isoformat(),
        )

    def run(self) -> Execution:
        self._store.write(self._layout.execution, self._context.model_dump_json().encode())
        self._take(self._engine.begin(_now()))
        while self._finish is None:
            self._show(Phase.RUNNING)
            self._take(self._engine.step(self._next_event(), _now()))
        return self._close(self._finish)

    def _take(self, commands: list[Command]) -> None:
        """Sort commands by when they are carried out; stopping a task that has not begun is immediate."""
        for command in commands:
            if isinstance(command, Finish):
                self._finish = command
                continue
            key = (command.node, command.attempt, command.try_)
            if isinstance(command, RunTask):
                self._pending[key] = command
            elif isinstance(command, CancelTask):
                if self._pending.pop(key, None) is not None:  # else Ctrl-C stopped it, and its event is there
                    self._stopped.append(TaskCancelled(*key))
            elif isinstance(command, StartTimer):
                self._timers[key] = time.monotonic() + command.seconds
            else:
                self._timers.pop(key, None)

    def _next_event(self) -> Event:
        """Run the next task, or sleep until a back-off is over. Ctrl-C cancels the execution in order."""
        if self._stopped:
            return self._stopped.popleft()
        running: Key | None = None
        try:
            if self._pending:
                running = next(iter(self._pending))
                return self._run_task(self._pending.pop(running))
            due: Key = min(self._timers, key=lambda timer: self._timers[timer])
            time.sleep(max(0.0, self._timers[due] - time.monotonic()))
            del self._timers[due]
            return TimerFired(due[0], due[1], due[2])
        except KeyboardInterrupt:
            if running is not None:
                self._stopped.append(TaskCancelled(*running))
            return CancelRequested("interrupted")

    def _run_task(self, command: RunTask) -> Event:
        key = (command.node, command.attempt, command.try_)
        invocation = self._invocation(command)
        try:
            with _surrounded(invocation.environment):
                surroundings = Surroundings(interruptible=True)
                result = execute(invocation, self._store, owner=f"local-{os.getpid()}", surroundings=surroundings)
        except FlytempError as failure:
            return TaskFailed(*key, error_detail("SYSTEM", failure.code, failure.message, True))
        if result is None:
            return TaskLost(*key, "another process claimed the try")
        if result.status == "succeeded":
            return TaskSucceeded(*key, result.outputs, inline_bytes(result.outputs))
        assert result.error is not None
        error = result.error
        self._tracebacks[command.node] = error.traceback
        return TaskFailed(*key, error_detail(error.kind, error.code, error.message, error.retryable))

    def _invocation(self, command: RunTask) -> Invocation:
        task = task_of(self._document, command.graph, command.node, command.task)
        context = self._context
        return Invocation(
            store=self._store.uri,
            execution_root=self._layout.root,
            node=command.node,
            attempt=command.attempt,
            try_=command.try_,
            task=task,
            bundle=None,
            inputs={name: with_constants(value, self._document) for name, value in command.inputs.items()},
            raw_data_prefix=f"{raw_data_uri(context.raw_data_prefix, self._layout.root)}/{command.node}/{command.attempt}",
            project=context.project,
            domain=context.domain,
            execution=context.execution,
            workflow=context.workflow,
            version=context.version,
            started_at=context.started_at,
            environment=task.settings.environment,
        )

    # ---------------------------------------------------------------------------------------- end

    def _close(self, finish: Finish) -> Execution:
        phase, outputs, error = Phase(finish.phase), None, finish.error
        if finish.outputs is not None:
            try:
                outputs = final_outputs(finish.outputs, self._document, self._store, self._layout.root)
            except FlytempError as failure:
                phase = Phase.FAILED
                error = error_detail("USER", failure.code, failure.message, False)
        if phase is Phase.ABORTED and error is None:
            error = {"code": "Cancelled", "message": f"cancelled: {finish.reason}", "retryable": False}
        execution = self._execution(phase)
        execution.outputs = outputs
        execution.error = error_info(error) if error else None
        if execution.error is not None and execution.error.node is not None:
            execution.error.traceback = self._tracebacks.get(execution.error.node)
        execution.finished_at = when(_now())
        self._store.write(self._layout.record, execution.model_dump_json(indent=1).encode())
        if self._on_change is not None:
            self._on_change(execution)
        return execution

    def _show(self, phase: Phase) -> None:
        if self._on_change is not None:
            self._on_change(self._execution(phase))

    def _execution(self, phase: Phase) -> Execution:
        nodes = nodes_from_rows(self._plan_json, rows.rows(self._engine))
        return execution_of(self._context, self._layout, self._store, phase, nodes)


@contextlib.contextmanager
def _surrounded(environment: Mapping[str, str]) -> Iterator[None]:
    """The task's own variables beside this process's; they, and the working folder, are put back afterwards."""
    folder, variables = os.getcwd(), dict(os.environ)
    os.environ.update(environment)
    try:
        yield
    finally:
        os.chdir(folder)
        for name in os.environ.keys() - variables.keys():
            del os.environ[name]
        os.environ.update(variables)


def _now() -> int:
    return time.time_ns() // 1_000_000
