"""Reading of closed values (see `flytemp.spec.bindings`) from the object store."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flytemp.errors import CorruptData, FlytempBug
from flytemp.layout import RootLayout
from flytemp.literals.navigate import value_at
from flytemp.literals.types import Json
from flytemp.spec.bindings import ClosedValueReader, Constants, Path
from flytemp.store.object_store import ObjectStore


def resolve_inputs(
    closed: Mapping[str, Json], store: ObjectStore, execution_root: str, constants: Constants | None = None
) -> dict[str, Json]:
    """Return the literals of closed values. Each result, and the inputs of the execution, are read at most once.

    Raises:
        InputError: a path leads nowhere in the value that came.
        NotFound, CorruptData, StoreError: what a value refers to cannot be read.
    """
    source = BindingReader(store, execution_root, constants)
    return {name: source.read(value) for name, value in closed.items()}


class BindingReader(ClosedValueReader):
    """Reader of the objects to which closed values refer. Each object is read once."""

    def __init__(self, store: ObjectStore, execution_root: str, constants: Constants | None = None) -> None:
        self._store = store
        self._layout = RootLayout(execution_root)
        self._constants = constants
        self._objects: dict[str, dict[str, Any]] = {}

    def read_execution_input(self, name: str, path: Path) -> Json:
        return value_at(self._field(self._layout.execution, "inputs", name), path)

    def read_object(self, uri: str, output: str, path: Path) -> Json:
        return value_at(self._named(self._key_of(uri), output), path)

    def read_chunk(self, chunk: str, name: str, path: Path) -> Json:
        return value_at(self._named(self._layout.chunk_items(chunk), name), path)

    def read_constant(self, document: str, key: list[Any], path: Path) -> Json:
        if self._constants is None:
            raise FlytempBug(f"the constant {key} was not put in before the task was started")
        return value_at(self._constants(document, key), path)

    def read_result(self, reference: str, name: str, path: Path) -> Json:
        """Return an output of a task or of a map. The result of a map is a manifest, of which only the needed parts are read."""
        key = self._layout.result_of_ref(reference)
        found = self._object(key)
        if "manifest" not in found:
            return value_at(self._field(key, "outputs", name), path)
        if name not in found["manifest"]:
            raise CorruptData(f"{self._store.uri_of(key)} has no output {name!r}")
        chunks = found["chunks"] or [[None, len(found["manifest"][name])]]
        position = self._position(path, sum(count for _, count in chunks))
        values: list[Json] = []
        for chunk, count in chunks:
            if position is None or 0 <= position < count:
                closed = found["manifest"][name] if chunk is None else self._named(self._layout.chunk_outputs(chunk), name)
                if position is not None:
                    return value_at(self.read(closed[position]), path[1:])
                values += [self.read(item) for item in closed]
            if position is not None:
                position -= count
        return value_at(values, path)

    @staticmethod
    def _position(path: Path, count: int) -> int | None:
        """Return the position of the item that the path selects; None for the whole list, or if there is no such item."""
        if not path or isinstance(path[0], bool) or not isinstance(path[0], int) or not -count <= path[0] < count:
            return None
        return path[0] if path[0] >= 0 else path[0] + count

    def _key_of(self, uri: str) -> str:
        """Return the key of an object of this store. A value must not make a worker read other stores."""
        root = f"{self._store.uri}/"
        if not uri.startswith(root):
            raise CorruptData(f"{uri} does not lie in the store {self._store.uri}")
        return uri.removeprefix(root)

    def _field(self, key: str, part: str, name: str) -> Json:
        values = self._object(key).get(part) or {}
        if name not in values:
            raise CorruptData(f"{self._store.uri_of(key)} has no {part[:-1]} {name!r}")
        return values[name]

    def _named(self, key: str, name: str) -> Json:
        values = self._object(key)
        if name not in values:
            raise CorruptData(f"{self._store.uri_of(key)} has no {name!r}")
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
