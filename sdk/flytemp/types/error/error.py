"""The error that a failure handler receives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flytemp.porting.finder import other_names


@dataclass
class FlyteError:
    """The failure of a workflow.

    Attributes:
        message: error message of the failed node.
        failed_node_id: path of the failed node: ``n2``, or ``n2.n0`` in a sub-workflow, conditional or dynamic task.
    """

    message: str
    failed_node_id: str


if not TYPE_CHECKING:
    __getattr__ = other_names(__name__)
