"""The object store of a simulation: what lies in it, and the activities' answers to what an engine asks.

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
from flytemp.spec.plan import constant, part_plan_of, plan_of
from flytemp_worker.engine import IOCompleted, RequestIO, StartChunk

from .reference_interpreter import Generator

Json = Any


class Stored(ClosedValueReader):
    """``documents`` are the execution's own, as "", and those of dynamics, by their attempts."""

    def __init__(self, program: WorkflowDocument, inputs: Mapping[str, Json], dynamics: Mapping[str, Generator]) -> None:
        self.inputs = dict(inputs)
        self.dynamics = dynamics
        self.documents: dict[str, WorkflowDocument] = {"": program}
        self.results: dict[str, dict[str, Json]] = {}  # by reference: "<node>/<attempt>"
        self.manifests: dict[str, dict[str, Any]] = {}  # likewise, of maps
        self.objects: dict[str, dict[str, Json]] = {}  # by URI: outputs of executions, large inputs for them
        self.items: dict[str, dict[str, list[Json]]] = {}  # of parts of maps, by their names
        self.part_outputs: dict[str, dict[str, list[Json]]] = {}  # by name and attempt
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
        if manifest["parts"] is None:
            return [self.value(item) for item in manifest["outputs"][var]]
        values: list[Json] = []
        for part, count in manifest["parts"]:
            found = [self.value(item) for item in self.part_outputs[part][var]]
            assert len(found) == count, f"{part} has {len(found)} calls, not {count}"
            values += found
        return values

    # ---------------------------------------------------------------------------------- answering

    def give(self, ask: RequestIO) -> IOCompleted:
        """The answer, or why there is none."""
        try:
            return IOCompleted(ask.node, ask.what, getattr(self, f"_{ask.what}")(ask))
        except FlytempError as error:
            told = {"kind": "USER", "code": error.code, "message": error.message, "retryable": False}
            return IOCompleted(ask.node, ask.what, error=told)

    def _read(self, ask: RequestIO) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name, closed in ask.argument["values"].items():
            try:
                values[name] = literal(self.value(closed))
            except FlytempError as error:
                values[name] = {"error": error.message}
        return {"values": values}

    def _lengths(self, ask: RequestIO) -> dict[str, Any]:
        return {"lengths": {name: len(_list(name, self.value(value))) for name, value in ask.argument["values"].items()}}

    def _split(self, ask: RequestIO) -> dict[str, Any]:
        lists = {name: _list(name, self.value(value)) for name, value in ask.argument["values"].items()}
        size = ask.argument["size"]
        for number, first in enumerate(range(0, ask.argument["count"], size)):
            part = {name: items[first : first + size] for name, items in lists.items()}
            self.items[f"{ask.node}/{ask.attempt}/{number}"] = part
        return {}

    def _inputs(self, ask: RequestIO) -> dict[str, Any]:
        values = self.values(ask.argument["values"])
        if len(json.dumps(values, separators=(",", ":"))) <= INLINE_BYTES:
            return {"values": values}
        uri = f"mem://inputs/{ask.node}/{ask.attempt}"
        self.objects[uri] = values
        return {"uri": uri}

    def _store(self, ask: RequestIO) -> dict[str, Any]:
        self.manifests[f"{ask.node}/{ask.attempt}"] = {"outputs": ask.argument["outputs"], "parts": ask.argument.get("chunks")}
        return {}

    def _expand(self, ask: RequestIO) -> Any:
        return self.plan(f"{ask.node}/{ask.attempt}")

    # -------------------------------------------------------------------------------------- plans

    def plan(self, source: str) -> Any:
        """The plan of a document, as it comes out of its pages."""
        if source not in self._plans:
            self._plans[source] = json.dumps(plan_of(self.documents[source]))
        return json.loads(self._plans[source])

    def part_plan(self, part: StartChunk) -> Any:
        return json.loads(json.dumps(part_plan_of(self.documents[part.source], part.graph, part.local)))


def _list(name: str, value: Json) -> list[Json]:
    if not isinstance(value, list):
        raise TypeMismatch(f"{name}: cannot map over {type(value).__name__}: a list is required")
    return value
