"""The object store of a simulation, and the answers to I/O requests of the engine.

The meaning is that of `flytemp_activities.io_requests` and `flytemp.runtime.inputs`, without files.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flytemp.errors import FlytempError, TypeMismatch
from flytemp.literals.navigate import value_at
from flytemp.literals.sizes import INLINE_BYTES
from flytemp.spec.bindings import Closed, ClosedValueReader, Path, literal
from flytemp.spec.models import WorkflowDocument
from flytemp.spec.plan import chunk_plan_of, constant, plan_of
from flytemp_worker.engine.errors import Error
from flytemp_worker.engine.messages import IOCompleted, RequestIO, StartChunk

from .reference_interpreter import Generator

Json = Any


class Stored(ClosedValueReader):
    """``documents`` has the execution's own document as "", and those of dynamic nodes by their references."""

    def __init__(self, program: WorkflowDocument, inputs: Mapping[str, Json], dynamics: Mapping[str, Generator]) -> None:
        self.inputs = dict(inputs)
        self.dynamics = dynamics
        self.documents: dict[str, WorkflowDocument] = {"": program}
        self.results: dict[str, dict[str, Json]] = {}  # by reference: "<node>/<attempt>"
        self.manifests: dict[str, dict[str, Any]] = {}  # by reference, for maps
        self.objects: dict[str, dict[str, Json]] = {}  # by URI: outputs and large inputs of child executions
        self.items: dict[str, dict[str, list[Json]]] = {}  # of chunks, by their names
        self.chunk_outputs: dict[str, dict[str, list[Json]]] = {}  # by name and attempt
        self._plans: dict[str, str] = {}

    # ------------------------------------------------------------------------------------ reading

    def value(self, closed: Closed) -> Json:
        """Return the literal of a closed value, as the runtime reads it."""
        return self.read(closed)

    def read_result(self, reference: str, output: str, path: Path) -> Json:
        return value_at(self._output(reference, output), path)

    def read_execution_input(self, name: str, path: Path) -> Json:
        return value_at(self.inputs[name], path)

    def read_object(self, uri: str, output: str, path: Path) -> Json:
        return value_at(self.objects[uri][output], path)

    def read_chunk(self, chunk: str, name: str, path: Path) -> Json:
        return value_at(self.items[chunk][name], path)

    def read_constant(self, document: str, key: list[Any], path: Path) -> Json:
        return value_at(constant(self.documents[document], key), path)

    def values(self, closed: Mapping[str, dict[str, Any]]) -> dict[str, Json]:
        return {name: self.value(value) for name, value in closed.items()}

    def _output(self, reference: str, var: str) -> Json:
        if reference not in self.manifests:
            return self.results[reference][var]
        manifest = self.manifests[reference]
        if manifest["chunks"] is None:
            return [self.value(item) for item in manifest["outputs"][var]]
        values: list[Json] = []
        for chunk, count in manifest["chunks"]:
            found = [self.value(item) for item in self.chunk_outputs[chunk][var]]
            assert len(found) == count, f"{chunk} has {len(found)} calls, not {count}"
            values += found
        return values

    # ---------------------------------------------------------------------------------- answering

    def give(self, request: RequestIO) -> IOCompleted:
        """Return the answer to a request, or an error."""
        try:
            return IOCompleted(request.node, request.operation, getattr(self, f"_{request.operation}")(request))
        except FlytempError as error:
            failure: Error = {"kind": "USER", "code": error.code, "message": error.message, "retryable": False}
            return IOCompleted(request.node, request.operation, error=failure)

    def _read(self, request: RequestIO) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name, closed in request.argument["values"].items():
            try:
                values[name] = literal(self.value(closed))
            except FlytempError as error:
                values[name] = {"error": error.message}
        return {"values": values}

    def _lengths(self, request: RequestIO) -> dict[str, Any]:
        return {"lengths": {name: len(_list(name, self.value(value))) for name, value in request.argument["values"].items()}}

    def _split(self, request: RequestIO) -> dict[str, Any]:
        lists = {name: _list(name, self.value(value)) for name, value in request.argument["values"].items()}
        size = request.argument["size"]
        for number, first in enumerate(range(0, request.argument["count"], size)):
            chunk = {name: items[first : first + size] for name, items in lists.items()}
            self.items[f"{request.node}/{request.attempt}/{number}"] = chunk
        return {}

    def _inputs(self, request: RequestIO) -> dict[str, Any]:
        values = self.values(request.argument["values"])
        if len(json.dumps(values, separators=(",", ":"))) <= INLINE_BYTES:
            return {"values": values}
        uri = f"mem://inputs/{request.node}/{request.attempt}"
        self.objects[uri] = values
        return {"uri": uri}

    def _store(self, request: RequestIO) -> dict[str, Any]:
        self.manifests[f"{request.node}/{request.attempt}"] = {
            "outputs": request.argument["outputs"],
            "chunks": request.argument.get("chunks"),
        }
        return {}

    def _expand(self, request: RequestIO) -> Any:
        return self.plan(f"{request.node}/{request.attempt}")

    # -------------------------------------------------------------------------------------- plans

    def plan(self, source: str) -> Any:
        """Return the plan of a document."""
        if source not in self._plans:
            self._plans[source] = json.dumps(plan_of(self.documents[source]))
        return json.loads(self._plans[source])

    def chunk_plan(self, chunk: StartChunk) -> Any:
        return json.loads(json.dumps(chunk_plan_of(self.documents[chunk.source], chunk.graph, chunk.local)))


def _list(name: str, value: Json) -> list[Json]:
    if not isinstance(value, list):
        raise TypeMismatch(f"{name}: cannot map over {type(value).__name__}: a list is required")
    return value
