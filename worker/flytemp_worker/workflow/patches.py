"""Registry of patches: named changes of workflow code that keep older histories replayable.

A change of the order or kind of Temporal commands for an existing history needs a patch. Declare it here and branch on
`is_patched` where the behaviour differs. The recorded histories in ``tests/replay`` fail if a patch was forgotten.

A patch is removed in two releases. First, when no execution that started before ``added_in`` is open, replace the branch by
``workflow.deprecate_patch(patch.id)`` and delete the old behaviour. Second, when no execution that started before that release
is open, delete the call and the declaration. Histories of older executions can then no longer be replayed.
"""

from __future__ import annotations

from dataclasses import dataclass

from temporalio import workflow


@dataclass(frozen=True, slots=True)
class Patch:
    """A change of workflow code.

    ``id`` is written to histories and is never reused. ``added_in`` is the release that introduced the change. ``change`` says
    what differs, and ``removable`` when the old behaviour may be deleted.
    """

    id: str
    added_in: str
    change: str
    removable: str


PATCHES: tuple[Patch, ...] = ()
"""All patches that the code branches on. It is empty because flytemp has not been released."""


def is_patched(patch: Patch) -> bool:
    """Return True unless the current history was recorded before ``patch`` was added."""
    return workflow.patched(patch.id)
