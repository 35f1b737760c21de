"""Error of eager workflows, under flytekit's name."""

from __future__ import annotations


class EagerException(Exception):
    """Error of a node in an eager workflow. This version has no eager workflows, so only user code raises it."""
