"""Contexts and records of executions, read from the store."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from flytemp.errors import CorruptData
from flytemp.layout import ExecutionLayout, is_run_id
from flytemp.records.launch import ExecutionContext
from flytemp.records.models import Execution
from flytemp.store.object_store import ObjectStore

Model = TypeVar("Model", bound=BaseModel)


def read_context(store: ObjectStore, layout: ExecutionLayout) -> ExecutionContext | None:
    """Return the context of an execution, or None if `resolve` has not written one.

    Raises:
        CorruptData: the object is not a context.
    """
    return _read(store, layout.execution, ExecutionContext, "context")


def read_record(store: ObjectStore, layout: ExecutionLayout) -> Execution | None:
    """Return the record of a closed execution, or None if it has none yet.

    Raises:
        CorruptData: the object is not a record.
    """
    return _read(store, layout.record, Execution, "record")


def _read(store: ObjectStore, key: str, model: type[Model], what: str) -> Model | None:
    data = store.read_or_none(key)
    if data is None:
        return None
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = "/".join(map(str, problem["loc"]))
        raise CorruptData(
            f"{store.uri_of(key)} is not an execution's {what}: {where + ': ' if where else ''}{problem['msg']}",
            hint="the object was changed or damaged: restore it, or delete it to leave the execution out of lists",
        ) from error


def newest_record(store: ObjectStore, namespace: str, workflow_id: str) -> Execution | None:
    """Return the record of the latest execution with this workflow id, or None if there is none.

    Use it for executions that Temporal no longer keeps.
    """
    folder = ExecutionLayout(namespace, workflow_id, "x").root.rpartition("/")[0]
    runs = [run for run in store.list(folder) if is_run_id(run)]  # other programs leave files such as .DS_Store
    records = [read_record(store, ExecutionLayout(namespace, workflow_id, run)) for run in runs]
    found = [record for record in records if record is not None]
    return max(found, key=lambda record: record.started_at or datetime.min.replace(tzinfo=UTC), default=None)
