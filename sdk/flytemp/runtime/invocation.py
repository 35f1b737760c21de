"""The contract between a backend and the runtime: what a task is told, and what it leaves behind.

The same JSON serves every backend: the process backend sends it down a pipe, a pod reads it from the store.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from flytemp.literals.types import Json
from flytemp.spec.models import BundleRef, TaskSpec

PROTOCOL_VERSION = 1


class RuntimeModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Invocation(RuntimeModel):
    """One try of one attempt of one task.

    ``inputs`` maps each input to a closed value; see `flytemp.spec.bindings`. Constants have been replaced by literals.

    ``items`` are the inputs of each call, where one try makes several calls of a map: then each output is a list, and
    ``inputs`` is empty.
    """

    protocol: int = PROTOCOL_VERSION
    store: str  # the store's URI; every key below is relative to it
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
    started_at: str  # RFC 3339: when the execution started, for current_context().execution_date
    environment: dict[str, str] = {}  # the task's own variables and the platform's FLYTEMP_*
    interruptible: bool | None = None  # what the execution says for tasks that say nothing
    service_account: str | None = None  # of the execution
    labels: dict[str, str] = {}  # of the execution; pods have them
    annotations: dict[str, str] = {}

    @property
    def timeout_seconds(self) -> float | None:
        """What the try may take: the task's time-out, for each of the calls that it makes."""
        seconds = self.task.settings.timeout_seconds
        return None if seconds is None else seconds * max(1, len(self.items or ()))


class TaskError(RuntimeModel):
    """Why a try did not succeed. USER errors are committed for the attempt, SYSTEM errors belong to the try."""

    kind: Literal["USER", "SYSTEM"]
    code: str  # the exception's class name, or Timeout, OOMKilled, Crashed, …
    message: str
    traceback: str = ""  # the user's frames first; bounded
    retryable: bool = True
    failed_items: tuple[int, ...] | None = None  # of several calls, those that failed, counted from 0


class TaskResult(RuntimeModel):
    """`result.json` of an attempt: committed once, exclusively. Of several calls, a failed one may have ``outputs`` as
    well: with null for the calls that failed."""

    status: Literal["succeeded", "failed"]
    outputs: dict[str, Json] | None = None
    error: TaskError | None = None
    try_: int = 1
    started_at: str = ""
    finished_at: str = ""


class Claim(RuntimeModel):
    """`claim.json` of a try: created exclusively by the runtime before user code runs."""

    owner: str  # the worker's id (process backend) or the pod's uid
    host: str
    pid: int
    process_started: str = ""  # the kernel's start time of ``pid``, so that a reused pid is not mistaken
    claimed_at: str = ""
