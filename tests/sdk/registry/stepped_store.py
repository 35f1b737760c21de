"""Store that calls a function before and after each operation, to stop a process or to read in between."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from flytemp.store.object_store import ObjectStore

T = TypeVar("T")


class Killed(BaseException):
    """Error that stands for the end of a process by a kill."""


@dataclass
class SteppedStore(ObjectStore):
    """Store that forwards operations to ``inner``; ``before`` and ``after`` get the number of the operation, from 0."""

    inner: ObjectStore
    before: Callable[[int], None] = lambda number: None
    after: Callable[[int], None] = lambda number: None
    operations: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.uri = self.inner.uri

    def _step(self, operation: str, perform: Callable[[], T]) -> T:
        number = len(self.operations)
        self.operations.append(operation)
        self.before(number)
        result = perform()
        self.after(number)
        return result

    def read_or_none(self, key: str) -> bytes | None:
        return self._step(f"read {key}", lambda: self.inner.read_or_none(key))

    def write(self, key: str, data: bytes) -> None:
        self._step(f"write {key}", lambda: self.inner.write(key, data))

    def create(self, key: str, data: bytes) -> bool:
        return self._step(f"create {key}", lambda: self.inner.create(key, data))

    def exists(self, key: str) -> bool:
        return self._step(f"exists {key}", lambda: self.inner.exists(key))

    def delete(self, key: str) -> None:
        self._step(f"delete {key}", lambda: self.inner.delete(key))

    def list(self, folder: str, limit: int | None = None) -> builtins.list[str]:
        return self._step(f"list {folder}", lambda: self.inner.list(folder, limit))


def killed_at(inner: ObjectStore, number: int, when: str) -> SteppedStore:
    """Return a store whose process is killed before or after an operation takes effect."""

    def kill(current: int) -> None:
        if current == number:
            raise Killed

    return SteppedStore(inner, before=kill) if when == "before" else SteppedStore(inner, after=kill)
