"""Why a workflow failed, as its failure handler gets it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class FlyteError:
    """
    Attributes:
        message: what the failed node reported.
        failed_node_id: its path in the execution: ``n2``, or ``n2.n0`` in a sub-workflow, conditional or dynamic task.
    """

    message: str
    failed_node_id: str
