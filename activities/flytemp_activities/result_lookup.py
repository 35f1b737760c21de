"""Look-up of a result that makes a try unnecessary, right before the try starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from flytemp.runtime.invocation import Invocation, TaskResult


@dataclass(frozen=True, slots=True)
class LookupOutcome:
    """Answer of a look-up.

    Attributes:
        status: a word for the node's record, such as "hit" or "miss".
        result: the result of the attempt, or None if the try must start.
    """

    status: str
    result: TaskResult | None = None


class ResultLookup(Protocol):
    """Source of results that were computed before.

    A backend asks it on the one path on which tries start, whether an activity or an early start wants the try. A try that was
    started before, here or in another worker, is not looked up again.
    """

    async def find(self, invocation: Invocation) -> LookupOutcome:
        """Look for a result of the invocation."""
        ...
