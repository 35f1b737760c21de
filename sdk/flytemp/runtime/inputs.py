"""Closed values (see `flytemp.runtime.invocation`) become literals."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flytemp.errors import CorruptData, FlytempBug
from flytemp.layout import RootLayout
from flytemp.literals.navigate import value_at
from flytemp.literals.types import Json
from flytemp.store.object_store import ObjectStore


def resolve_inputs(closed: Mapping[str, Json], store: ObjectStore, execution_root: str) -> dict[str, Json]:
    """The literals of closed values; each result, and the execution's inputs, are read at most once.

    Raises:
        InputError: a path leads nowhere in the value that came.
        NotFound, CorruptData, StoreError: what a value refers to cannot be read.
    """
    source = _Source(store, RootLayout(execution_root))
    return {name: source.literal(value) for name, value in closed.items()}


class _Source:
    def __init__(self, store: ObjectStore, layout: RootLayout) -> None:
        self._store = store
        self._layout = layout
        self._objects: dict[str, dict[str, Any]] = {}

    def literal(self, value: Json) -> Json:
        if "l" in value:
            return value["l"]
        if "r" in value:
            key = self._layout.result_of_ref(value["r"])
            return value_at(self._field(key, "outputs", value["v"]), value.get("p") or [])
        if "c" in value:
            return value_at(self._field(self._layout.execution, "inputs", value["c"]), value.get("p") or [])
        if "a" in value:
            return [self.literal(item) for item in value["a"]]
        if "m" in value:
            return {key: self.literal(item) for key, item in value["m"].items()}
        raise FlytempBug(f"a closed value has none of the known forms: {sorted(value)}")

    def _field(self, key: str, part: str, name: str) -> Json:
        values = self._object(key).get(part) or {}
        if name not in values:
            raise CorruptData(f"{self._store.uri_of(key)} has no {part[:-1]} {name!r}")
        return values[name]

    def _object(self, key: str) -> dict[str, Any]:
        if key not in self._objects:
            try:
                found = json.loads(self._store.read(key))
            except ValueError as error:
                raise CorruptData(f"{self._store.uri_of(key)} is no JSON: {error}") from error
            if not isinstance(found, dict):
                raise CorruptData(f"{self._store.uri_of(key)} is no JSON object")
            self._objects[key] = found
        return self._objects[key]
