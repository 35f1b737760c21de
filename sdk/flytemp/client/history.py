"""State of a running execution, read from its Temporal history. It uses no query, so it needs no worker.

A history contains the result of `resolve`, the pages of the plan, the state with which a continued run begins, and every try
of every task. The workflow writes the rows of other nodes to its memo when they change; these entries are its journal. The
reader combines all of these to the rows that the engine writes when it closes.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple, Protocol

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.converter import DataConverter

from flytemp.errors import CorruptData
from flytemp.names import attempt_key, node_of
from flytemp.protocol.activities import (
    LOAD_PLAN_PAGE,
    LOAD_STATE_PAGE,
    RESOLVE,
    RUN_TASK,
    PlanPage,
    RunTaskArgument,
    StatePage,
    TaskOutputs,
)
from flytemp.protocol.io_requests import DYNAMIC_PLANS, EXPAND_DYNAMIC, DynamicPlansArgument, NodeArgument
from flytemp.protocol.message import UNSET, Activity, Message
from flytemp.protocol.workflow import ROWS_MEMO, Continuation, ContinuedArgument, Resolved, RowsMemo
from flytemp.records.launch import ExecutionContext
from flytemp.spec.pages import from_pages

Row = dict[str, Any]

_STARTED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED
_SCHEDULED = EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
_COMPLETED = EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED
_FAILED = EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED
_TIMED_OUT = EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT
_CANCELED = EventType.EVENT_TYPE_ACTIVITY_TASK_CANCELED
_MEMO = EventType.EVENT_TYPE_WORKFLOW_PROPERTIES_MODIFIED
_CANCEL_REQUESTED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED


_DECLARATIONS: dict[str, Activity[Any, Any]] = {
    declaration.name: declaration
    for declaration in (RUN_TASK, RESOLVE, LOAD_PLAN_PAGE, LOAD_STATE_PAGE, EXPAND_DYNAMIC, DYNAMIC_PLANS)
}
"""The activities from whose events the state is read."""


class _Call(NamedTuple):
    """A scheduled activity. Activities that the reader does not need have no declaration."""

    declaration: Activity[Any, Any] | None
    argument: Message | None
    activity_id: str


class _ActivityClosed(Protocol):
    """Attributes of any event that ends an activity."""

    scheduled_event_id: int


class HistoryReader:
    """Reader of the events of one run, which are added in order.

    Attributes:
        rows: the rows of the nodes so far, by path.
        dynamics: the plans of dynamic tasks, by "<node path>/<attempt>".
    """

    def __init__(self, converter: DataConverter) -> None:
        self._converter = converter
        self.events = 0  # the number of events read so far
        self.launch: dict[str, Any] | None = None
        self.resolved: Resolved | None = None
        self.plan: dict[str, Any] | None = None
        self.rows: dict[str, Row] = {}
        self.cancel_requested = False
        self.continued: Continuation | None = None  # from the run before this one
        self.context: ExecutionContext | None = None  # set by the caller; it does not change
        self._calls: dict[int, _Call] = {}  # by the id of the event that scheduled the activity
        self._plan_pages: dict[int, str] = {}
        self._state_pages: dict[int, str] = {}
        self._has_state = False
        self._nodes: dict[str, dict[str, dict[str, Any]]] = {}  # the plan's nodes: graph → node id → node
        self.dynamics: dict[str, dict[str, Any]] = {}  # plans of dynamics: "<node path>/<attempt>" → plan
        self.paused: dict[str, Any] | None = None
        self._journaled: set[str] = set()  # paths of nodes that have a row in the journal

    async def add_event(self, event: HistoryEvent) -> None:
        """Update the state by one event."""
        self.events = event.event_id
        kind = event.event_type
        if kind == _STARTED:
            await self._on_started(event)
        elif kind == _SCHEDULED:
            await self._on_scheduled(event)
        elif kind == _COMPLETED:
            completed = event.activity_task_completed_event_attributes
            await self._on_completed(self._take(completed), completed.result.payloads, _at(event))
        elif kind == _FAILED:
            failed = event.activity_task_failed_event_attributes
            call = self._take(failed)
            if call.declaration is RUN_TASK:
                details = await self._decode(failed.failure.application_failure_info.details.payloads)
                is_ours = isinstance(details, dict) and {"kind", "code", "message"} <= details.keys()
                self._fail(call.activity_id, details if is_ours else _lost(failed.failure.message), _at(event))
        elif kind == _TIMED_OUT:
            call = self._take(event.activity_task_timed_out_event_attributes)
            if call.declaration is RUN_TASK:
                self._fail(call.activity_id, _lost("the activity timed out"), _at(event))
        elif kind == _CANCELED:
            call = self._take(event.activity_task_canceled_event_attributes)
            if call.declaration is RUN_TASK:
                self._stop(self.rows[node_of(call.activity_id)], _at(event))
        elif kind == _CANCEL_REQUESTED:
            self.cancel_requested = True
        elif kind == _MEMO:
            await self._on_memo(event.workflow_properties_modified_event_attributes.upserted_memo.fields)

    def _take(self, attributes: _ActivityClosed) -> _Call:
        """Return the call whose end the event describes."""
        return self._calls.pop(attributes.scheduled_event_id, _Call(None, None, ""))

    async def _on_memo(self, fields: Any) -> None:
        """Apply an entry of the journal; see `flytemp_worker.workflow.journal`."""
        if ROWS_MEMO not in fields:
            return
        written = RowsMemo.from_json(await self._decode([fields[ROWS_MEMO]]))
        if written.paused is not UNSET:
            self.paused = written.paused
        for row in written.rows:
            self._journaled.add(row["id"])
            before = self.rows.get(row["id"], {})
            keeps = row.get("kind") == "dynamic" and row["phase"] == before.get("phase")
            own = _TIMES & before.keys() if row.get("kind") == "task" else set()  # the times of tasks are those of activities
            self.rows[row["id"]] = {**(before if keeps else {}), **row, **{name: before[name] for name in own}}

    async def _on_started(self, event: HistoryEvent) -> None:
        started = event.workflow_execution_started_event_attributes
        try:
            argument = await self._decode(started.input.payloads)
        except (KeyError, RuntimeError, TypeError, ValueError):
            # Any program may start a workflow with any input; the failure of the run describes the error.
            return
        if not isinstance(argument, dict):
            return
        self.launch = argument
        if not started.continued_execution_run_id or "continued" not in argument:
            return
        try:
            continued = ContinuedArgument.from_json(argument).continued
        except CorruptData:
            return
        # The interpreter applies the same rule: only a run with a predecessor may be given its state.
        if continued.first_run_id == started.first_execution_run_id:
            self.launch, self.continued, self.resolved = None, continued, continued.resolved

    async def _on_scheduled(self, event: HistoryEvent) -> None:
        scheduled = event.activity_task_scheduled_event_attributes
        declaration = _DECLARATIONS.get(scheduled.activity_type.name)
        if declaration is None:
            return
        argument = declaration.argument.from_json(await self._decode(scheduled.input.payloads))
        self._calls[event.event_id] = _Call(declaration, argument, scheduled.activity_id)
        if isinstance(argument, RunTaskArgument):
            self._start(argument, _at(event))

    async def _on_completed(self, call: _Call, payloads: Any, at: int) -> None:
        if call.declaration is None:
            return
        argument, result = call.argument, call.declaration.read_result(await self._decode(payloads))
        if isinstance(result, TaskOutputs):
            self._succeed(self.rows[node_of(call.activity_id)], result, at)
        elif isinstance(result, Resolved):
            self.resolved = result
            if result.plan is not None:
                self.set_plan([result.plan])
        elif isinstance(argument, PlanPage) and self.resolved is not None:
            self._plan_pages[argument.page] = result
            if len(self._plan_pages) == self.resolved.plan_pages:
                self.set_plan([self._plan_pages[page] for page in sorted(self._plan_pages)])
        elif isinstance(argument, StatePage):
            self._state_pages[argument.page] = result.text
            if len(self._state_pages) == self._state_page_count:
                self.set_initial_state([self._state_pages[page] for page in sorted(self._state_pages)])
        elif isinstance(argument, NodeArgument):
            self.dynamics[f"{argument.node}/{attempt_key(argument.attempt, argument.epoch)}"] = from_pages(result.pages)
        elif isinstance(argument, DynamicPlansArgument):
            self.dynamics.update(from_pages(result.pages))

    @property
    def lacks_plan(self) -> bool:
        """True if the plan must be read from the store: it was decided, but the events do not contain it yet."""
        return self.resolved is not None and self.plan is None

    @property
    def lacks_state(self) -> bool:
        """True if the state must be read from the store: the run continues another one and has not loaded its state yet."""
        return self._state_page_count > 0 and not self._has_state

    @property
    def _state_page_count(self) -> int:
        """The number of pages of the state with which the run begins."""
        if self.continued is not None:
            return self.continued.pages
        return self.resolved.state_pages if self.resolved is not None else 0

    def set_plan(self, pages: list[str]) -> None:
        """Set the plan from its pages, unless it is known."""
        if self.plan is None:
            plan: dict[str, Any] = from_pages(pages)
            self.plan = plan
            self._nodes = {name: {node["id"]: node for node in graph["nodes"]} for name, graph in plan["graphs"].items()}

    def set_initial_state(self, pages: list[str]) -> None:
        """Add the state with which the run began. Rows from events of the run are newer and remain."""
        if not self._has_state:
            state = from_pages(pages)
            self.rows = {row["id"]: row for row in state["rows"]} | self.rows
            self.paused = self.paused or state.get("paused")
            self._has_state = True

    def _start(self, argument: RunTaskArgument, at: int) -> None:
        path = argument.node
        row = self.rows.setdefault(path, {"id": path, "started": at, "history": []})
        if row.get("phase") in _UNSUCCESSFUL and argument.attempt > row["attempt"]:  # a user retried the node
            row.setdefault("history", []).append(_past(row, row["phase"], row.get("finished", at)))
        if argument.try_ == 1 and not argument.resumed:
            row["started_attempt"] = at
            row.pop("lost", None)
        row.update(phase="RUNNING", attempt=argument.attempt, try_=argument.try_, graph=argument.graph)
        if argument.epoch:
            row["epoch"] = argument.epoch
        row.update(kind=row.get("kind", "task"), target=argument.task, name=argument.task.rpartition(".")[2])
        row["local"] = argument.local_id
        row.pop("message", None)
        parent = path
        while "." in parent:
            parent = parent.rpartition(".")[0]
            self.rows.setdefault(parent, {"id": parent, "phase": "RUNNING", "attempt": 1, "started": at})

    def _succeed(self, row: Row, result: TaskOutputs, at: int) -> None:
        if row.get("kind") == "dynamic":  # the event of its graph follows
            return
        row.update(phase="SUCCEEDED", finished=at, outputs=result.outputs, size=result.size)
        if result.lookup:
            row["lookup"] = result.lookup
        row.pop("error", None)
        row.pop("message", None)

    def _stop(self, row: Row, at: int) -> None:
        """Update the row of a cancelled try. If the node has a deadline, the journal has its final phase."""
        if "deadline" in self._spec_of(row):
            row.update(phase="CANCELLING")
        else:
            row.update(phase="ABORTED", finished=at)

    def _spec_of(self, row: Row) -> dict[str, Any]:
        """Return the plan's node of a task's row; for a call of a map, the node of the map's calls."""
        first, *inner = row.get("local", "").split(".")
        node = self._nodes.get(row.get("graph", ""), {}).get(first, {})
        for part in inner:
            node = next((case for case in node.get("branch", {}).get("nodes", ()) if case["id"] == part), {})
        item: dict[str, Any] = node["map"]["item"] if "map" in node else node
        return item

    def _fail(self, activity_id: str, error: dict[str, Any], at: int) -> None:
        """Update the row of a failed try by the rules of the engine; see `flytemp_worker.node_kinds.retry_backoff`."""
        path = node_of(activity_id)
        row = self.rows[path]
        node = self._spec_of(row)
        row["error"] = {**error, "node": path, "task": node.get("target"), "attempt": row["attempt"]}
        failed = "TIMED_OUT" if error["code"] == "Timeout" else "FAILED"
        if error["kind"] == "SYSTEM" and error.get("retryable", True):
            row["lost"] = row.get("lost", 0) + 1
            if self.resolved is not None and row["lost"] >= self.resolved.settings.max_system_tries:
                row.update(phase="FAILED", finished=at)
            else:
                row.update(phase="BACKOFF", message=f"the try was lost and will be started again: {error['message']}"[:500])
        elif error.get("retryable", True) and row["attempt"] <= node.get("retries", 0):
            row.setdefault("history", []).append(_past(row, failed, at))
            row.update(phase="BACKOFF", message=f"attempt {row['attempt'] + 1} follows a failure")
        else:
            row.update(phase=failed, finished=at)

    def settled_rows(self, closed: bool) -> list[Row]:
        """Return the rows, with the phases of sub-workflows derived from their nodes.

        Args:
            closed: the run is closed, so running nodes are ABORTED.
        """
        rows = {path: dict(row) for path, row in self.rows.items()}
        self._count_items(rows)
        if closed:
            for row in rows.values():
                if row["phase"] in ("RUNNING", "BACKOFF", "CANCELLING"):
                    row["phase"] = "ABORTED"
        for path in sorted(rows, key=lambda path: -path.count(".")):
            self._derive_phase(path, rows)
        if closed and self.plan is not None:
            self._skip_rest(self.plan["root"], "", rows)
        return list(rows.values())

    def _derive_phase(self, path: str, rows: dict[str, Row]) -> None:
        nodes = None if path in self._journaled else self._nodes_under(path)
        if nodes is None:
            return
        children = [rows.get(f"{path}.{identifier}", {"phase": "WAITING"})["phase"] for identifier in nodes]
        if all(phase == "SUCCEEDED" for phase in children):
            rows[path]["phase"] = "SUCCEEDED"
        elif any(phase in ("FAILED", "TIMED_OUT") for phase in children):
            rows[path]["phase"] = "FAILED"

    def _count_items(self, rows: dict[str, Row]) -> None:
        """Count the succeeded and failed calls of maps whose calls are in this history."""
        counted: dict[str, list[int]] = {}
        for path, row in rows.items():
            caller = rows.get(path.rpartition(".")[0])
            if caller is not None and "items" in caller and "chunks" not in caller:
                counts = counted.setdefault(caller["id"], [0, 0])
                size = self._calls_of(row, caller)
                counts[0] += size * (row["phase"] == "SUCCEEDED")
                counts[1] += size * (row["phase"] in ("FAILED", "TIMED_OUT", "ABORTED"))
        for path, counts in counted.items():
            rows[path]["counts"] = counts

    def _calls_of(self, row: Row, caller: Row) -> int:
        """Return the number of map items of a node: one, or those of a group."""
        last = row["id"].rpartition(".")[2]
        if not last.startswith("g") or self.plan is None:
            return 1
        node = self._plan_node(caller["id"])
        group = int(node["map"]["group"]) if node is not None else 1
        return min(group, int(caller["items"]) - int(last[1:]) * group)

    def _plan_node(self, path: str) -> dict[str, Any] | None:
        """Return the plan's node at ``path`` if only sub-workflows contain it, else None."""
        parent, _, last = path.rpartition(".")
        nodes = self._nodes_under(parent) if parent else self._nodes.get(self.plan["root"] if self.plan else "")
        return (nodes or {}).get(last)

    def _nodes_under(self, path: str) -> dict[str, dict[str, Any]] | None:
        """Return the nodes of the sub-workflow at ``path``, or None for another node or an unknown plan."""
        if self.plan is None:
            return None
        nodes = self._nodes[self.plan["root"]]
        for part in path.split("."):
            node = nodes.get(part)
            if node is None or node["kind"] != "workflow":
                return None
            nodes = self._nodes[node["target"]]
        return nodes

    def _skip_rest(self, graph: str, prefix: str, rows: dict[str, Row]) -> None:
        assert self.plan is not None
        for node in self.plan["graphs"][graph]["nodes"]:
            path = f"{prefix}{node['id']}"
            if path not in rows:
                rows[path] = {"id": path, "phase": "SKIPPED", "message": "the execution ended before this node started"}
            elif node["kind"] == "workflow":
                self._skip_rest(node["target"], f"{path}.", rows)

    async def _decode(self, payloads: Any) -> Any:
        values = await self._converter.decode(list(payloads)) if len(payloads) else [None]
        return values[0]


_TIMES = {"started", "started_attempt"}
_UNSUCCESSFUL = ("FAILED", "TIMED_OUT", "ABORTED")


def _past(row: Row, phase: str, finished: int) -> Row:
    """Return the row of an attempt that another one follows, in the form of the engine's `Node.attempt_row`."""
    return {
        "attempt": row["attempt"], "tries": row.get("try_", 1), "phase": phase,
        "started": row.get("started_attempt"), "finished": finished, "error": row.get("error"),
    }  # fmt: skip


def _lost(message: str) -> dict[str, Any]:
    return {"kind": "SYSTEM", "code": "Lost", "message": message, "retryable": True}


def _at(event: HistoryEvent) -> int:
    moment: datetime = event.event_time.ToDatetime()
    return int((moment - datetime(1970, 1, 1)).total_seconds() * 1000)
