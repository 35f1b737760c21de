"""Claim, result and error of a try in the store. Claims and results are created exclusively."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TypeVar

from pydantic import ValidationError

from flytemp.errors import CorruptData
from flytemp.layout import RootLayout
from flytemp.runtime.host import host_identity, process_started
from flytemp.runtime.invocation import Claim, Invocation, RuntimeModel, TaskError, TaskResult
from flytemp.store.object_store import ObjectStore

_Document = TypeVar("_Document", bound=RuntimeModel)


def now() -> str:
    """Return the time as RFC 3339 text in UTC."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def claim_try(store: ObjectStore, invocation: Invocation, owner: str) -> bool:
    """Claim the try for this process. Exactly one caller anywhere gets True and may run the user's code."""
    claim = Claim(
        owner=owner,
        host=host_identity(),
        pid=os.getpid(),
        process_started=process_started(os.getpid()),
        claimed_at=now(),
    )
    return store.create(_claim_key(invocation), claim.model_dump_json().encode())


def read_claim(store: ObjectStore, invocation: Invocation) -> Claim | None:
    """Return the claim of the try, or None.

    Raises:
        CorruptData: the object is not a claim.
    """
    return _read(store, _claim_key(invocation), Claim)


def commit_result(store: ObjectStore, invocation: Invocation, result: TaskResult) -> TaskResult:
    """Commit the result of the attempt; return the result that counts: ``result``, or one that was committed before."""
    key = _result_key(invocation)
    if store.create(key, result.model_dump_json().encode()):
        return result
    standing = _read(store, key, TaskResult)
    if standing is None:
        raise CorruptData(f"{store.uri_of(key)} exists and cannot be read", hint="check whether it was deleted")
    return standing


def read_result(store: ObjectStore, invocation: Invocation) -> TaskResult | None:
    """Return the result of the attempt, or None.

    Raises:
        CorruptData: the object is not a result.
    """
    return _read(store, _result_key(invocation), TaskResult)


def write_try_error(store: ObjectStore, invocation: Invocation, error: TaskError) -> None:
    """Write the error of a try that ended without a result for its attempt."""
    store.write(_try_error_key(invocation), error.model_dump_json().encode())


def read_try_error(store: ObjectStore, invocation: Invocation) -> TaskError | None:
    """Return the error of the try, or None.

    Raises:
        CorruptData: the object is not an error.
    """
    return _read(store, _try_error_key(invocation), TaskError)


def _claim_key(invocation: Invocation) -> str:
    return RootLayout(invocation.execution_root).claim(invocation.node, invocation.attempt_key, invocation.try_)


def _result_key(invocation: Invocation) -> str:
    return RootLayout(invocation.execution_root).result(invocation.node, invocation.attempt_key)


def _try_error_key(invocation: Invocation) -> str:
    return RootLayout(invocation.execution_root).try_error(invocation.node, invocation.attempt_key, invocation.try_)


def _read(store: ObjectStore, key: str, model: type[_Document]) -> _Document | None:
    data = store.read_or_none(key)
    if data is None:
        return None
    try:
        return model.read(data)
    except ValidationError as error:
        raise CorruptData(f"{store.uri_of(key)} is not a valid {model.__name__}: {error}") from error
