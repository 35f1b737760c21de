"""Errors of nodes and executions as plain JSON, and the constructors of those that the engine itself makes."""

from __future__ import annotations

from typing import NotRequired, TypedDict

from flytemp.errors import FlytempError


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


def user_error(code: str, message: str) -> Error:
    """Return an error in the program or its values; retrying does not help."""
    return {"kind": "USER", "code": code, "message": message, "retryable": False}


def system_error(code: str, message: str, *, retryable: bool = False) -> Error:
    """Return an error of the platform."""
    return {"kind": "SYSTEM", "code": code, "message": message, "retryable": retryable}


def from_exception(error: FlytempError) -> Error:
    """Return the error of an exception that the user has to act on."""
    return user_error(error.code, error.message)
