"""Errors of nodes and executions as plain JSON, and the constructors of those that the engine itself makes."""

from __future__ import annotations

from typing import NotRequired, TypedDict

from flytemp.error_text import storable
from flytemp.errors import FlytempError
from flytemp.outcomes import OUTCOMES

MESSAGE_CHARACTERS = 2_000
"""Maximum length of a message that the engine makes, for instance from the reason of a rejection."""


class Error(TypedDict):
    """Why a node, a chunk or an execution failed.

    ``kind`` is ``USER`` or ``SYSTEM``: who has to act, and whose retries pay. ``node``, ``task`` and ``attempt`` say where it
    happened. ``failed_items`` are the positions of the calls that failed, where one try makes several calls of a map.
    """

    kind: str
    code: str
    message: str
    retryable: NotRequired[bool]
    node: NotRequired[str | None]
    task: NotRequired[str | None]
    attempt: NotRequired[int | None]
    failed_items: NotRequired[list[int]]


def make_error(code: str, message: str, *, retryable: bool | None = None) -> Error:
    """Return the error of an outcome; its kind, and by default whether it can be retried, are those of `flytemp.outcomes`."""
    outcome = OUTCOMES[code]
    return {
        "kind": outcome.payer,
        "code": code,
        "message": storable(message, MESSAGE_CHARACTERS),
        "retryable": outcome.retryable if retryable is None else retryable,
    }


def from_exception(error: FlytempError, *, kind: str = "USER", retryable: bool = False) -> Error:
    """Return the error of an exception of flytemp: by default one that the user has to act on."""
    message = storable(error.message, MESSAGE_CHARACTERS)
    return {"kind": kind, "code": error.code, "message": message, "retryable": retryable}
