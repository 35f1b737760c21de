"""Concurrency of an execution: what runs at once, what is allowed to, and what waits for a slot."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from flytemp_worker.engine.nodes import Node


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of an execution.

    Attributes:
        max_parallelism: tasks that may be in flight at once; 0 for no limit of the user's.
        max_in_flight: the platform's bound on that number (Temporal allows 2,000 pending operations).
        max_system_tries: tries per attempt; a task that is lost more often fails.
        max_map_items: a map of more items runs in chunks of this size, each a workflow of its own.
        max_dynamic_depth: dynamic nodes that may be nested in each other.
    """

    max_parallelism: int = 25
    max_in_flight: int = 1_000
    max_system_tries: int = 10
    max_map_items: int = 1_000
    max_dynamic_depth: int = 50


class Capacity:
    """Slots of an execution or chunk, and the queues of those that wait for one.

    ``window`` is what the platform allows at present, within ``limit``; ``allocated`` are the slots of running chunks.
    Nodes that were skipped while they waited stay in the queues.
    """

    __slots__ = ("allocated", "chunks", "launch_plans", "launched", "limit", "max_in_flight", "running", "tasks", "window")

    def __init__(self, limits: Limits) -> None:
        self.max_in_flight = self.window = limits.max_in_flight
        self.limit = self.within_platform(limits.max_parallelism or limits.max_in_flight)
        self.running = 0  # tasks in flight: RUNNING or CANCELLING
        self.allocated = 0
        self.launched = 0  # executions of launch plans that run
        self.tasks: deque[Node] = deque()
        self.launch_plans: deque[Node] = deque()
        self.chunks: dict[Node, deque[int]] = {}  # by map, the numbers of chunks that wait

    def within_platform(self, limit: int) -> int:
        return min(limit, self.max_in_flight)

    @property
    def used(self) -> int:
        return self.running + self.allocated

    @property
    def has_slot(self) -> bool:
        return self.used < min(self.limit, self.window)

    @property
    def is_windowed(self) -> bool:
        """True if only the platform's window keeps tasks from starting."""
        return bool(self.tasks) and self.window <= self.used < self.limit


@dataclass(slots=True)
class ChunkRole:
    """State of an engine that runs one chunk of a map instead of an execution.

    Attributes:
        max_failures: calls that may fail without the chunk failing.
        attempts_before: attempts that its calls may have had in earlier attempts of the map.
        allocation: slots that it may release; 0 if it keeps its slots until it ends.
        share: smallest number of slots that is worth a signal.
    """

    max_failures: int
    attempts_before: int
    allocation: int = 0
    share: int = 1
