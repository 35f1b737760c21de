"""Documents that a worker and the runtime of a task exchange, whatever the backend.

The worker and the runtime may have different versions of flytemp. So `RuntimeModel.read` ignores a field that it does not have,
in the document and in everything inside it. Code that makes a document with such a field gets an error. `PROTOCOL_VERSION`
changes only when the meaning of a field changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, field_validator

from flytemp.error_text import TRACEBACK_CHARACTERS, code_text, storable
from flytemp.errors import FlytempError
from flytemp.literals.types import Json
from flytemp.names import attempt_key
from flytemp.outcomes import OUTCOMES, may_retry
from flytemp.spec.models import BundleRef, TaskSpec

PROTOCOL_VERSION = 1


class RuntimeModel(BaseModel):
    """Base of the documents: immutable, strict in code, tolerant when read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def read(cls, document: bytes | str | Mapping[str, Any]) -> Self:
        """Return the document, without the fields that this version of flytemp does not have.

        Args:
            document: JSON text, or a parsed JSON object.

        Raises:
            ValidationError: the document lacks a field or has a value of a wrong type.
        """
        if isinstance(document, bytes | str):
            return cls.model_validate_json(document, extra="ignore")
        return cls.model_validate(document, extra="ignore")


class Invocation(RuntimeModel):
    """One try of one attempt of one task; `flytemp.runtime.build_invocation` makes it.

    ``inputs`` maps each input to a closed value; see `flytemp.spec.bindings`. Constants have been replaced by literals.

    ``items`` has the inputs of each call if one try makes several calls of a map. Each output is then a list, and ``inputs`` is
    empty.
    """

    protocol: int = PROTOCOL_VERSION
    store: str  # URI of the store; every key is relative to it
    execution_root: str  # layout.ExecutionLayout.root
    node: str
    attempt: int  # counted from 1
    try_: int  # counted from 1 within the attempt
    task: TaskSpec
    bundle: BundleRef | None
    inputs: dict[str, Json]
    items: tuple[dict[str, Json], ...] | None = None
    raw_data_prefix: str  # a complete URI; uploads go to fresh paths under it
    project: str
    domain: str
    execution: str
    workflow: str
    version: str
    started_at: str  # start of the execution, RFC 3339; current_context().execution_date
    environment: dict[str, str] = {}  # variables of the task
    interruptible: bool | None = None  # default of the execution for tasks that do not set it
    service_account: str | None = None  # service account of the execution's pods
    labels: dict[str, str] = {}  # labels of the execution's pods
    annotations: dict[str, str] = {}  # annotations of the execution's pods
    worker_version: str = ""  # version of flytemp of the worker
    allows_loopback: bool = False  # downloads from the web may connect to loopback addresses
    epoch: str = ""  # of the workflow's reset, in which the attempt began; see `flytemp.names.attempt_key`

    @property
    def attempt_key(self) -> str:
        """Identification of the attempt in keys of the store."""
        return attempt_key(self.attempt, self.epoch)

    @property
    def timeout_seconds(self) -> float | None:
        """Time limit of the try: the time-out of the task, multiplied by the number of calls."""
        seconds = self.task.settings.timeout_seconds
        return None if seconds is None else seconds * max(1, len(self.items or ()))


class TaskError(RuntimeModel):
    """Failure of a try. A USER error is committed as the result of the attempt; a SYSTEM error belongs to the try.

    The texts are shortened and escaped where a store, a server or a terminal would not accept them.
    """

    kind: Literal["USER", "SYSTEM"]
    code: str  # name of the exception's class, or a code of `flytemp.outcomes`
    message: str
    traceback: str = ""  # the user's frames first; bounded
    retryable: bool = True
    failed_items: tuple[int, ...] | None = None  # of several calls, the positions of those that failed

    @field_validator("code", mode="before")
    @classmethod
    def _storable_code(cls, code: object) -> object:
        return code_text(code) if isinstance(code, str) else code

    @field_validator("message", mode="before")
    @classmethod
    def _storable_message(cls, message: object) -> object:
        return storable(message) if isinstance(message, str) else message

    @field_validator("traceback", mode="before")
    @classmethod
    def _storable_traceback(cls, text: object) -> object:
        return storable(text, TRACEBACK_CHARACTERS) if isinstance(text, str) else text

    @classmethod
    def of(cls, code: str, message: str) -> Self:
        """Return the error of an outcome in the table; the table has its payer."""
        outcome = OUTCOMES[code]
        return cls(kind=outcome.payer, code=code, message=message, retryable=outcome.retryable)

    @classmethod
    def of_platform(cls, error: FlytempError) -> Self:
        """Return the SYSTEM error for an error of flytemp that is not the user's, such as a store that does not answer."""
        message = f"{error}\n  hint: {error.hint}" if error.hint else str(error)
        return cls(kind="SYSTEM", code=type(error).__name__, message=message, retryable=may_retry(type(error)))

    @classmethod
    def of_user(cls, error: FlytempError) -> Self:
        """Return the USER error for an error of flytemp that every attempt would meet, such as a value of a wrong type."""
        message = f"{error}\n  hint: {error.hint}" if error.hint else str(error)
        return cls(kind="USER", code=type(error).__name__, message=message, retryable=False)


class TaskResult(RuntimeModel):
    """`result.json` of an attempt, committed once and exclusively.

    A failed result of several calls may have ``outputs``: each output is a list that has null for the calls that failed.
    """

    status: Literal["succeeded", "failed"]
    outputs: dict[str, Json] | None = None
    error: TaskError | None = None
    try_: int = 1
    started_at: str = ""
    finished_at: str = ""
    runtime_version: str = ""  # version of flytemp that ran the task; empty if a worker made the result
    lookup: str = ""  # status of the worker's look-up of a result before the try; empty if none was made


class Claim(RuntimeModel):
    """`claim.json` of a try, created exclusively by the runtime before user code runs."""

    owner: str  # id of the worker (process backend) or uid of the pod
    host: str
    pid: int
    process_started: str = ""  # the kernel's start time of ``pid``: a reused pid has another one
    claimed_at: str = ""
