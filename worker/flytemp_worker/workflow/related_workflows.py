"""Checks of the signals that an execution and its child workflows send to each other, and their conversion for the engine.

Any Temporal client can send the signals. What the engine keeps of a signal becomes part of the record of the execution, so its
size is limited.
"""

from __future__ import annotations

from typing import Any

from flytemp.error_text import code_text
from flytemp.errors import InputError
from flytemp.literals.sizes import INLINE_BYTES
from flytemp.protocol.json_checks import check_json
from flytemp.protocol.message import UNSET, Json
from flytemp.protocol.workflow import CHILD_CLOSED, NO_CHUNK, PARENT_MESSAGE, GateAnswer
from flytemp.protocol.workflow import ChildClosed as ChildClosedMessage
from flytemp.records.launch import RESULT_INLINE_BYTES
from flytemp_activities.application_errors import bounded
from flytemp_activities.executions import inline_bytes
from flytemp_worker.engine.errors import Error, make_error
from flytemp_worker.engine.messages import ChildClosed
from flytemp_worker.workflow.received import warn_ignored

MAX_MESSAGE_BYTES = 8_000
"""Maximum length of the message of a child's error. Each level of child executions adds a prefix to the message."""

_LAST_TIME = 253_402_300_799_999
"""Last millisecond of the year 9999, after which the records of nodes have no times."""

_MAX_VALUE_BYTES = 2 * INLINE_BYTES
"""Maximum length of the JSON of an answer's value. The parent limits what users send to half of it, before the conversion."""

_PHASES = ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")


def closed_event(message: ChildClosedMessage) -> ChildClosed | None:
    """Return the engine's event for the end of a child workflow, or None after a warning if the message is invalid."""
    if message.phase not in _PHASES:
        warn_ignored(CHILD_CLOSED.name, f"{message.phase!r} is not a final phase")
        return None
    phase, outputs, size, error = message.phase, message.outputs, 0, _error(message.error)
    if phase == "SUCCEEDED" and message.chunk == NO_CHUNK:
        try:
            size = message.size if outputs is None else check_json(outputs, "the outputs", RESULT_INLINE_BYTES)
        except InputError as problem:
            outputs, error = None, make_error("ChildEnded", problem.message)
        if outputs is None and message.outputs_uri is None:
            phase, error = "FAILED", error or make_error("ChildEnded", "its execution reported no outputs")
    return ChildClosed(
        message.node, message.chunk, message.attempt, phase, outputs, message.outputs_uri, size, error, message.counts
    )


def _error(error: dict[str, Json] | None) -> Error | None:
    """Return the error of a child with texts of limited length; None if the child has none."""
    if error is None:
        return None
    code, message, attempt = error.get("code"), error.get("message"), error.get("attempt")
    if not isinstance(code, str) or not isinstance(message, str):
        return make_error("ChildEnded", "it reported an error without a code and a message")
    return {
        "kind": "SYSTEM" if error.get("kind") == "SYSTEM" else "USER",
        "code": code_text(code),
        "message": bounded(message, MAX_MESSAGE_BYTES),
        "retryable": error.get("retryable") is True,
        "node": _text(error.get("node")),
        "task": _text(error.get("task")),
        "attempt": attempt if type(attempt) is int else None,
    }


def _text(value: Json) -> str | None:
    return bounded(value, 1_000) if isinstance(value, str) else None


def answer_of(message: GateAnswer) -> dict[str, Any] | None:
    """Return the engine's form of an answer, or None after a warning.

    An answer is refused if it is not exactly one of a value and an approval, if its time is not before the year 10000, or if its
    value is too long.
    """
    if not 0 <= message.at <= _LAST_TIME:
        warn_ignored(PARENT_MESSAGE.name, "the time of the answer is out of range")
        return None
    if (message.value is UNSET) == (message.approved is UNSET):
        warn_ignored(PARENT_MESSAGE.name, "an answer is either a value or an approval")
        return None
    answer: dict[str, Any] = {"by": message.by, "at": message.at}
    if message.approved is not UNSET:
        return {**answer, "approved": message.approved, "reason": message.reason}
    if inline_bytes(message.value) > _MAX_VALUE_BYTES:
        warn_ignored(PARENT_MESSAGE.name, "the value is too long")
        return None
    return {**answer, "value": message.value}
