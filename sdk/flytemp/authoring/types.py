"""Small helpers of flytekit's for naming types."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any


def kwtypes(**types: Any) -> OrderedDict[str, Any]:
    """Names and their types, in order: ``kwtypes(x=int, y=str)``."""
    return OrderedDict(types)
