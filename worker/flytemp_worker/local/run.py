"""The loop between the engine and the task runtime in a local run."""

from __future__ import annotations

import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flytemp.errors import FlytempError, NotFound
from flytemp.launching.context import execution_context
from flytemp.launching.execution_names import child_name, generate_local_name
from flytemp.launching.targets import LaunchTarget, find_target, load_target, program_target
from flytemp.layout import ExecutionLayout
from flytemp.literals.types import Json
from flytemp.names import workflow_id
from flytemp.records.build import execution_of
from flytemp.records.launch import LaunchOptions, ParentCall
from flytemp.records.models import Execution, Phase
from flytemp.records.nodes import error_info, nodes_from_rows, when
from flytemp.spec.models import Document, LaunchPlanDocument, TaskDocument, WorkflowDocument
from flytemp.spec.plan import around_task, plan_of
from flytemp.store.object_store import ObjectStore
from flytemp_activities.executions import Executions
from flytemp_activities.record_execution import final_outputs
from flytemp_worker.engine import snapshot
from flytemp_worker.engine.capacity import Limits
from flytemp_worker.engine.deadlines import DEADLINE, TIMEOUT
from flytemp_worker.engine.errors import Error, from_exception, make_error
from flytemp_worker.engine.messages import (
    CancelRequested,
    CancelTask,
    ChildClosed,
    Command,
    Event,
    Finish,
    RequestIO,
    RunTask,
    StartChild,
    StartTimer,
    TaskCancelled,
    TimerFired,
)
from flytemp_worker.engine.plan import Plan
from flytemp_worker.local.gates import ask_at_terminal
from flytemp_worker.local.inline_tasks import InlineTaskRunner, IORequestHandler
from flytemp_worker.node_kinds import new_engine
from flytemp_worker.node_kinds.children import EXECUTION, set_execution

NAMESPACE = "local"

Key = tuple[str, int, int]
AskGate = Callable[[dict[str, Any], Json], dict[str, Json]]
"""Answer a gate: take its plan and the value to approve, return ``{"approved": …}`` or ``{"value": …}``."""


@dataclass(frozen=True, slots=True)
class LocalLaunch:
    """A launch of a local execution.

    Attributes:
        target: the entity to launch and the document that runs.
        inputs: the caller's inputs.
        project: the project of the execution.
        domain: the domain of the execution.
        name: the name of the execution.
        options: the options of the launch.
        others: documents of the program that nodes of launch plans may need.
        parent: the call by the parent execution, for a child execution.
    """

    target: LaunchTarget
    inputs: dict[str, Json]
    project: str
    domain: str
    name: str
    options: LaunchOptions
    others: tuple[Document, ...]
    parent: ParentCall | None = None


def run_local(
    document: Document,
    literals: dict[str, Json],
    *,
    store: ObjectStore,
    project: str,
    domain: str,
    workflow: WorkflowDocument | None = None,
    others: Iterable[Document] = (),
    name: str | None = None,
    options: LaunchOptions | None = None,
    on_change: Callable[[Execution], None] | None = None,
    ask_gate: AskGate = ask_at_terminal,
) -> Execution:
    """Run to the end and return the execution, recorded in ``store`` like any other.

    Args:
        document: a workflow, a task or a launch plan.
        literals: the caller's inputs.
        store: the store of inputs, results and files.
        project: the project of the execution.
        domain: the domain of the execution.
        workflow: the launch plan's workflow, if ``document`` is a launch plan.
        others: the launch plans that it calls, and their workflows.
        name: the name of the execution; generated if None.
        options: the options of the launch.
        on_change: called with the execution after every step.
        ask_gate: called for each gate that waits.

    Raises:
        InputError: an input is unknown, missing or of the wrong type.
    """
    launch = LocalLaunch(
        target=program_target(document, workflow, project, domain),
        inputs=literals,
        project=project,
        domain=domain,
        name=name or generate_local_name(),
        options=options or LaunchOptions(),
        others=tuple(others),
    )
    return LocalRun(launch, store, on_change, ask_gate).run()


class LocalRun:
    """One local execution."""

    def __init__(
        self, launch: LocalLaunch, store: ObjectStore, on_change: Callable[[Execution], None] | None, ask_gate: AskGate
    ) -> None:
        self._launch = launch
        self._store = store
        self._on_change = on_change
        self._ask_gate = ask_gate
        spec = launch.target.spec
        self._document = around_task(spec) if isinstance(spec, TaskDocument) else spec
        identifier = workflow_id(launch.project, launch.domain, launch.name)
        self._layout = ExecutionLayout(NAMESPACE, identifier, str(uuid.uuid4()))
        self._context = execution_context(
            launch.target,
            self._layout,
            inputs=launch.inputs,
            options=launch.options,
            raw_data_prefix=store.uri_of("data"),
            started_at=datetime.now(UTC).isoformat(),
            parent=launch.parent,
            allows_each_uri=True,
        )
        self._executions = Executions(store)
        self._executions.introduce(self._layout.root, self._context, self._document)
        self._plan_json = plan_of(self._document)
        parallelism = self._context.options.max_parallelism
        limits = Limits(
            max_parallelism=25 if parallelism is None else parallelism,
            max_system_tries=1,
            max_map_items=10**9,  # chunks would need other workflows
        )
        self._engine = new_engine(Plan(self._plan_json), self._context.inputs, limits)
        self._engine.seed = self._layout.root
        self._tasks = InlineTaskRunner(self._context, self._layout.root, self._executions)
        self._requests = IORequestHandler(self._layout.root, self._executions)
        self._finish: Finish | None = None
        self._pending: dict[Key, RunTask | StartChild] = {}
        self._timers: dict[Key, float] = {}
        self._events: deque[Event] = deque()

    @property
    def workflow_id(self) -> str:
        return self._layout.workflow_id

    def run(self) -> Execution:
        self._store.write(self._layout.execution, self._context.model_dump_json().encode())
        self._perform(self._engine.begin(_now()))
        while self._finish is None:
            self._show(Phase.RUNNING)
            self._perform(self._engine.step(self._next_event(), _now()))
        return self._close(self._finish)

    def _perform(self, commands: list[Command]) -> None:
        """Perform or queue commands; a task that has not begun is stopped at once."""
        for command in commands:
            if isinstance(command, Finish):
                self._finish = command
            elif isinstance(command, RequestIO):
                self._events.append(self._requests.answer(command))
            elif isinstance(command, RunTask):
                self._pending[(command.node, command.attempt, command.try_)] = command
            elif isinstance(command, StartChild):
                self._pending[(command.node, command.attempt, 0)] = command
            elif isinstance(command, CancelTask):
                key = (command.node, command.attempt, command.try_)
                if self._pending.pop(key, None) is not None:  # otherwise Ctrl-C has stopped it and sent the event
                    self._events.append(TaskCancelled(*key))
            elif isinstance(command, StartTimer):
                self._start_timer(command)
            else:
                self._cancel(command)

    def _start_timer(self, command: StartTimer) -> None:
        key = (command.node, command.attempt, command.try_)
        kind = "" if key[1:] == TIMEOUT else self._engine.by_path[command.node].kind
        if key[1:] in (TIMEOUT, DEADLINE) or kind == "gate":
            return  # nothing can stop the code from outside, and gates are answered at the terminal
        if kind == "sleep":
            print(f"[Sleep Gate] Simulating Sleep for {_duration(command.seconds)}", flush=True)
            self._events.append(TimerFired(*key))
        else:
            self._timers[key] = time.monotonic() + command.seconds

    def _cancel(self, command: Command) -> None:
        """Cancel a timer, or a child execution that has not begun; running children block this loop."""
        node, attempt = getattr(command, "node", ""), getattr(command, "attempt", 0)
        self._timers.pop((node, attempt, getattr(command, "try_", 0)), None)
        if self._pending.pop((node, attempt, 0), None) is not None:
            self._events.append(ChildClosed(node, EXECUTION, attempt, "ABORTED"))

    def _next_event(self) -> Event:
        """Run the next task or child, answer a gate, or sleep until a back-off ends. Ctrl-C cancels the execution."""
        if self._events:
            return self._events.popleft()
        running: Key | None = None
        try:
            if self._pending:
                running = next(iter(self._pending))
                command = self._pending.pop(running)
                return self._tasks.run(command) if isinstance(command, RunTask) else self._run_child(command)
            if not self._timers:
                return self._requests.ask_gate(self._engine, self._ask_gate)
            due: Key = min(self._timers, key=lambda timer: self._timers[timer])
            time.sleep(max(0.0, self._timers[due] - time.monotonic()))
            del self._timers[due]
            return TimerFired(due[0], due[1], due[2])
        except KeyboardInterrupt:
            if running is not None:
                self._events.append(TaskCancelled(*running))
            return CancelRequested("interrupted")

    # ------------------------------------------------------------------------------------ children

    def _run_child(self, command: StartChild) -> Event:
        """Run the execution of a launch plan to its end."""
        try:
            execution = self._child(command)
        except FlytempError as error:
            return ChildClosed(command.node, EXECUTION, command.attempt, "FAILED", error=from_exception(error))
        if execution.phase is Phase.SUCCEEDED:
            outputs = execution.outputs or {}
            return ChildClosed(command.node, EXECUTION, command.attempt, "SUCCEEDED", outputs, None, len(str(outputs)))
        why = execution.error
        where = f", node {why.node}" if why and why.node else ""
        message = f"execution {execution.name}{where}: {why.message if why else execution.phase}"
        failure: Error = {"kind": why.kind if why else "USER", "code": why.code if why else "Failed", "message": message}
        return ChildClosed(command.node, EXECUTION, command.attempt, str(execution.phase), error=failure)

    def _child(self, command: StartChild) -> Execution:
        launch, inputs = self._launch, command.inputs
        if command.inputs_uri is not None:
            inputs = self._requests.stored(command.inputs_uri)
        parent = ParentCall(
            workflow_id=self.workflow_id,
            node=command.node,
            attempt=command.attempt,
            execution=launch.name,
            options=self._context.options,
        )
        child = LocalLaunch(
            target=self._find(command.launch_plan),
            inputs=inputs,
            project=command.launch_plan["project"] or launch.project,
            domain=command.launch_plan["domain"] or launch.domain,
            name=child_name(launch.name, self._layout.root, command.node, command.attempt),
            options=LaunchOptions(),
            others=launch.others,
            parent=parent,
        )
        run = LocalRun(child, self._store, None, self._ask_gate)
        set_execution(self._engine, command.node, run.workflow_id)
        return run.run()

    def _find(self, wanted: dict[str, Any]) -> LaunchTarget:
        """Return the launch plan of this program, else the one in the registry."""
        name, launch = wanted["launch_plan"], self._launch
        if not wanted["project"] and not wanted["domain"]:
            known = {(other.kind, other.name): other for other in launch.others}
            plan = known.get(("launch_plan", name))
            if isinstance(plan, LaunchPlanDocument):
                workflow = known.get(("workflow", plan.launch_plan.workflow))
                if isinstance(workflow, WorkflowDocument):
                    return program_target(plan, workflow, launch.project, launch.domain)
        registry = self._executions.registry
        entity, document = find_target(
            registry,
            name,
            project=wanted["project"] or launch.project,
            domain=wanted["domain"] or launch.domain,
            version=wanted["version"],
        )
        if not isinstance(document, LaunchPlanDocument):
            raise NotFound(f"there is no launch plan {name!r}", hint="register it first")
        return load_target(registry, entity, document)

    # ---------------------------------------------------------------------------------------- end

    def _close(self, finish: Finish) -> Execution:
        phase, outputs, error = Phase(finish.phase), None, finish.error
        if finish.outputs is not None:
            try:
                constants = self._executions.constants(self._layout.root)
                outputs = final_outputs(finish.outputs, constants, self._store, self._layout.root)
            except FlytempError as failure:
                phase = Phase.FAILED
                error = from_exception(failure)
        if phase is Phase.ABORTED and error is None:
            error = make_error("Cancelled", f"cancelled: {finish.reason}")
        execution = self._execution(phase)
        execution.outputs = outputs
        execution.error = error_info({**error}) if error else None
        if execution.error is not None and execution.error.node is not None:
            execution.error.traceback = self._tasks.tracebacks.get(execution.error.node)
        execution.finished_at = when(_now())
        self._store.write(self._layout.record, execution.model_dump_json(indent=1).encode())
        if self._on_change is not None:
            self._on_change(execution)
        return execution

    def _show(self, phase: Phase) -> None:
        if self._on_change is not None:
            self._on_change(self._execution(phase))

    def _execution(self, phase: Phase) -> Execution:
        nodes = nodes_from_rows(self._plan_json, snapshot.public_rows(self._engine))
        return execution_of(self._context, self._layout, self._store, phase, nodes)


def _duration(seconds: float) -> str:
    from datetime import timedelta

    return str(timedelta(seconds=seconds))


def _now() -> int:
    return time.time_ns() // 1_000_000
