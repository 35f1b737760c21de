"""Detection of `temporal workflow reset`, so that tries after a reset do not re-attach to those from before.

A reset starts a new run with the history of the old run up to the point of the reset. The first run id and node paths stay the
same, so the keys of tries contain an *epoch* (see `flytemp.names.attempt_key`). The epoch is derived from the random seed of the
workflow, because Temporal changes the seed exactly at the point of the reset, also in a replay of the new run.
"""

from __future__ import annotations

from temporalio import workflow


class ResetEpoch:
    """Epoch of the last reset in the history of a run.

    Create it in the constructor of the workflow class, before any code of the workflow runs.

    Attributes:
        epoch: 8 hex digits; None if no reset was detected.
    """

    def __init__(self) -> None:
        self.epoch: str | None = None
        workflow.register_random_seed_callback(self._on_new_seed)

    def begin(self, is_reset: bool) -> None:
        """Take account of a reset to the first workflow task. It precedes the constructor, so only an activity can detect it."""
        if is_reset and self.epoch is None:
            self._on_new_seed(workflow.random_seed())

    def _on_new_seed(self, seed: int) -> None:
        self.epoch = f"{seed & 0xFFFF_FFFF:08x}"
