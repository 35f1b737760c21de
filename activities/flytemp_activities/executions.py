"""What activities need to know of an execution, read once per worker process."""

from __future__ import annotations

import json
from collections import OrderedDict
from threading import Lock
from typing import Generic, TypeVar

from pydantic import ValidationError

from flytemp.errors import CorruptData
from flytemp.layout import RootLayout
from flytemp.names import EntityId
from flytemp.records.launch import ExecutionContext
from flytemp.registry import Registry
from flytemp.runtime.inputs import Constants
from flytemp.runtime.invocation import TaskResult
from flytemp.spec.models import LaunchPlanDocument, TaskDocument, TaskSpec, WorkflowDocument
from flytemp.spec.plan import Plan, around_task, constant, node_at, plan_of
from flytemp.spec.read import read_document
from flytemp.store.object_store import ObjectStore

V = TypeVar("V")

_CONTEXTS = 256
_DOCUMENTS = 64
_PLANS = 16


class _Recent(Generic[V]):
    """The values used last; immutable objects, so a stale one does not exist."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[str, V] = OrderedDict()
        self._lock = Lock()

    def get(self, key: str) -> V | None:
        with self._lock:
            value = self._values.get(key)
            if value is not None:
                self._values.move_to_end(key)
            return value

    def put(self, key: str, value: V) -> V:
        with self._lock:
            self._values[key] = value
            if len(self._values) > self._size:
                self._values.popitem(last=False)
        return value


class Executions:
    """Reads `execution.json` and documents. Its methods block on the store when they miss."""

    def __init__(self, store: ObjectStore) -> None:
        self.store = store
        self.registry = Registry(store)
        self._contexts: _Recent[ExecutionContext] = _Recent(_CONTEXTS)
        self._documents: _Recent[WorkflowDocument] = _Recent(_DOCUMENTS)
        self._plans: _Recent[Plan] = _Recent(_PLANS)  # of dynamics

    def introduce(self, root: str, context: ExecutionContext, document: WorkflowDocument) -> None:
        """Make an execution known whose document no registry holds: one that runs without a server."""
        self._contexts.put(root, context)
        self._documents.put(context.spec, document)

    def known(self, root: str) -> tuple[ExecutionContext, WorkflowDocument] | None:
        """The context and the document of what it runs, if that needs no I/O."""
        context = self._contexts.get(root)
        document = self._documents.get(context.spec) if context is not None else None
        return (context, document) if context is not None and document is not None else None

    def load(self, root: str) -> tuple[ExecutionContext, WorkflowDocument]:
        """As `known`, with I/O.

        Raises:
            NotFound, CorruptData: as `context` and `document`.
        """
        context = self.context(root)
        return context, self.document(context.spec)

    def context(self, root: str) -> ExecutionContext:
        """The execution's context.

        Raises:
            NotFound, CorruptData: `resolve` wrote none, or something else is there.
        """
        found = self._contexts.get(root)
        if found is not None:
            return found
        key = RootLayout(root).execution
        data = self.store.read(key)
        try:
            return self._contexts.put(root, ExecutionContext.model_validate_json(data))
        except ValidationError as error:
            raise CorruptData(
                f"{self.store.uri_of(key)} is not an execution's context: {error.error_count()} errors"
            ) from error

    def document_in(self, root: str, source: str) -> WorkflowDocument:
        """The document that a graph of the execution is in: its own, or that of the dynamic ``source``."""
        return self.dynamic(root, source) if source else self.document(self.context(root).spec)

    def dynamic(self, root: str, source: str) -> WorkflowDocument:
        """The document that a dynamic task made; ``source`` is ``<node path>/<attempt>``.

        Raises:
            NotFound, CorruptData: there is none.
        """
        name = f"{root}/{source}"
        found = self._documents.get(name)
        if found is not None:
            return found
        layout, (node, _, attempt) = RootLayout(root), source.rpartition("/")
        key = layout.result(node, int(attempt))
        try:
            result = TaskResult.model_validate_json(self.store.read(key))
            made = layout.dynamic(node, int(attempt), result.try_)
            document = read_document(self.store.read(made), self.store.uri_of(made))
        except ValidationError as error:
            raise CorruptData(f"{self.store.uri_of(key)} is no task's result: {error.error_count()} errors") from error
        if not isinstance(document, WorkflowDocument):
            raise CorruptData(f"{self.store.uri_of(made)} is not a workflow's document")
        return self._documents.put(name, document)

    def dynamic_plan(self, root: str, source: str) -> Plan:
        """The plan of the graph that a dynamic task made: each run of its execution asks for it anew.

        Raises:
            NotFound, CorruptData: as `dynamic`.
        """
        name = f"{root}/{source}"
        return self._plans.get(name) or self._plans.put(name, plan_of(self.dynamic(root, source)))

    def constants(self, root: str) -> Constants:
        """The large literals of the execution's plans."""
        return lambda source, key: constant(self.document_in(root, source), key)

    def document(self, urn: str) -> WorkflowDocument:
        """The workflow document of a ``wf:`` or ``tsk:`` URN with a version; a task comes as a workflow of one node."""
        found = self._documents.get(urn)
        if found is not None:
            return found
        _, document = self.registry.get(EntityId.parse(urn))
        if isinstance(document, LaunchPlanDocument):
            raise CorruptData(f"{urn} is a launch plan; a workflow or task was expected")
        return self._documents.put(urn, around_task(document) if isinstance(document, TaskDocument) else document)


def task_of(document: WorkflowDocument, workflow: str, local: str, task: str) -> TaskSpec:
    """The task as the node with this local id, in ``workflow``, runs it: with the node's overrides."""
    spec = document.tasks[task]
    overrides = node_at(document.workflows[workflow], local).overrides
    return spec if overrides.settings is None else spec.model_copy(update={"settings": overrides.settings})


def inline_bytes(value: object) -> int:
    """The length of a value's JSON."""
    return len(json.dumps(value, separators=(",", ":")))
