"""Contexts, documents and plans of executions, read from the store once per worker process."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

from pydantic import ValidationError

from flytemp.errors import CorruptData
from flytemp.layout import RootLayout
from flytemp.names import EntityId
from flytemp.records.launch import ExecutionContext
from flytemp.registry import Registry
from flytemp.runtime.invocation import TaskResult
from flytemp.spec.bindings import Constants
from flytemp.spec.graphs import node_at
from flytemp.spec.models import LaunchPlanDocument, TaskDocument, TaskSpec, WorkflowDocument
from flytemp.spec.plan import Plan, around_task, constant, plan_of
from flytemp.spec.read import read_document
from flytemp.store.object_store import ObjectStore

V = TypeVar("V")

_CONTEXTS = 256
_DOCUMENTS = 64
_PLANS = 16


class LruCache(Generic[V]):
    """Cache of the values used last. The values are immutable, so none becomes stale."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[str, V] = OrderedDict()
        self._creating: dict[str, Lock] = {}
        self._lock = Lock()

    def get(self, key: str) -> V | None:
        """Return the value, or None if the cache does not hold it."""
        with self._lock:
            value = self._values.get(key)
            if value is not None:
                self._values.move_to_end(key)
            return value

    def put(self, key: str, value: V) -> V:
        """Store the value and return it. The value used least recently makes room."""
        with self._lock:
            self._values[key] = value
            if len(self._values) > self._size:
                self._values.popitem(last=False)
        return value

    def get_or_create(self, key: str, create: Callable[[], V]) -> V:
        """Return the value. The first thread that misses it creates it, and others wait: it may take seconds to read."""
        found = self.get(key)
        if found is not None:
            return found
        with self._lock:
            creating = self._creating.setdefault(key, Lock())
        try:
            with creating:
                return self.get(key) or self.put(key, create())
        finally:
            with self._lock:
                self._creating.pop(key, None)


class Executions:
    """Reader of executions' contexts and documents. Its methods block on the store if the cache lacks the value."""

    def __init__(self, store: ObjectStore) -> None:
        self.store = store
        self.registry = Registry(store)
        self._contexts: LruCache[ExecutionContext] = LruCache(_CONTEXTS)
        self._documents: LruCache[WorkflowDocument] = LruCache(_DOCUMENTS)
        self._plans: LruCache[Plan] = LruCache(_PLANS)  # of dynamics

    def introduce(self, root: str, context: ExecutionContext, document: WorkflowDocument) -> None:
        """Add an execution that runs without a server: its document is in no registry."""
        self._contexts.put(root, context)
        self._documents.put(context.spec, document)

    def known(self, root: str, source: str = "") -> tuple[ExecutionContext, WorkflowDocument] | None:
        """Return the context, and the document of the execution or of the dynamic node ``source``, if both are cached."""
        context = self._contexts.get(root)
        document = self._documents.get(f"{root}/{source}" if source else context.spec) if context is not None else None
        return (context, document) if context is not None and document is not None else None

    def load(self, root: str, source: str = "") -> tuple[ExecutionContext, WorkflowDocument]:
        """Return the same as `known`, read from the store if needed.

        Raises:
            NotFound, CorruptData: see `context`, `document` and `dynamic`.
        """
        return self.context(root), self.document_in(root, source)

    def context(self, root: str) -> ExecutionContext:
        """Return the execution's context.

        Raises:
            NotFound: `resolve` wrote none.
            CorruptData: the object is not a context.
        """
        return self._contexts.get_or_create(root, lambda: self._read_context(root))

    def _read_context(self, root: str) -> ExecutionContext:
        key = RootLayout(root).execution
        data = self.store.read(key)
        try:
            return ExecutionContext.model_validate_json(data)
        except ValidationError as error:
            raise CorruptData(f"{self.store.uri_of(key)} is not an execution's context: {error.error_count()} errors") from error

    def document_in(self, root: str, source: str) -> WorkflowDocument:
        """Return the document that holds a graph: the execution's, or that of the dynamic node ``source``."""
        return self.dynamic(root, source) if source else self.document(self.context(root).spec)

    def dynamic(self, root: str, source: str) -> WorkflowDocument:
        """Return the document that a dynamic task made; ``source`` is ``<node path>/<attempt>``.

        Raises:
            NotFound: the task made none.
            CorruptData: the object is not a workflow's document.
        """
        return self._documents.get_or_create(f"{root}/{source}", lambda: self._read_dynamic(root, source))

    def _read_dynamic(self, root: str, source: str) -> WorkflowDocument:
        layout, (node, _, attempt) = RootLayout(root), source.rpartition("/")
        key = layout.result(node, attempt)
        try:
            result = TaskResult.read(self.store.read(key))
            made = layout.dynamic(node, attempt, result.try_)
            document = read_document(self.store.read(made), self.store.uri_of(made))
        except ValidationError as error:
            raise CorruptData(f"{self.store.uri_of(key)} is no task's result: {error.error_count()} errors") from error
        if not isinstance(document, WorkflowDocument):
            raise CorruptData(f"{self.store.uri_of(made)} is not a workflow's document")
        return document

    def dynamic_plan(self, root: str, source: str) -> Plan:
        """Return the plan of the graph that a dynamic task made. It is cached, as each run of the execution reads it.

        Raises:
            NotFound, CorruptData: see `dynamic`.
        """
        return self._plans.get_or_create(f"{root}/{source}", lambda: plan_of(self.dynamic(root, source)))

    def constants(self, root: str) -> Constants:
        """Return the reader of the large literals of the execution's plans."""
        return lambda source, key: constant(self.document_in(root, source), key)

    def document(self, urn: str) -> WorkflowDocument:
        """Return the workflow document of a ``wf:`` or ``tsk:`` URN with a version; that of a task is a workflow of one node."""
        return self._documents.get_or_create(urn, lambda: self._read_document(urn))

    def _read_document(self, urn: str) -> WorkflowDocument:
        _, document = self.registry.get(EntityId.parse(urn))
        if isinstance(document, LaunchPlanDocument):
            raise CorruptData(f"{urn} is a launch plan; a workflow or task was expected")
        return around_task(document) if isinstance(document, TaskDocument) else document


def task_of(document: WorkflowDocument, workflow: str, local: str, task: str) -> TaskSpec:
    """Return the task with the overrides of the node ``local`` of ``workflow``."""
    spec = document.tasks[task]
    overrides = node_at(document.workflows[workflow], local).overrides
    return spec if overrides.settings is None else spec.model_copy(update={"settings": overrides.settings})


def inline_bytes(value: object) -> int:
    """Return the length of the value's JSON in bytes."""
    return len(json.dumps(value, separators=(",", ":")))
