"""A launch as Temporal carries it, and what `resolve` makes of it.

`LaunchRequest` is the stable, public input of the workflow type ``FlytempWorkflow``: any Temporal SDK, the
``temporal`` command line, a schedule or a parent workflow may write it.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from flytemp.errors import InvalidName
from flytemp.literals.types import Json
from flytemp.names import DEFAULT_DOMAIN, DEFAULT_PROJECT, check_domain, check_project

INLINE_INPUTS_BYTES = 64 * 1024
"""Inputs up to this many bytes travel in the start request; larger ones as ``inputs_uri`` (design: a small input)."""

RESULT_INLINE_BYTES = 64 * 1024
"""A result up to this many bytes is in the workflow's result; a larger one is ``outputs_uri``."""


class LaunchOptions(BaseModel):
    """What an execution may set for itself; each one wins over the launch plan's value.

    ``labels`` and ``annotations`` replace the launch plan's, they are not merged with them. ``max_parallelism``
    is the number of task nodes that may run at once, 0 for no limit; 25 where nobody says. After ``timeout_seconds``
    the execution is stopped and TIMED_OUT. ``service_account`` is Kubernetes', for the pods of its tasks.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    max_parallelism: int | None = Field(default=None, ge=0)
    timeout_seconds: float | None = Field(default=None, gt=0)
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    raw_data_prefix: str | None = None
    interruptible: bool | None = None
    overwrite_cache: bool | None = None
    service_account: str | None = None


class ParentCall(BaseModel):
    """The launch plan's node that this execution is: flytemp's own, no part of the public input.

    ``options`` are the parent's: `flytemp_activities.resolve` says what becomes of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    workflow_id: str
    node: str
    attempt: int
    execution: str = ""
    options: LaunchOptions = LaunchOptions()


class RetryCall(BaseModel):
    """An execution that had ended goes on: ``nodes`` are tried again, without any all that failed."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    nodes: list[str] = []
    by: str = ""


class LaunchRequest(BaseModel):
    """The workflow's input.

    ``launch_plan`` is a name or a URN (``lp:…``; ``wf:…`` and ``tsk:…`` are taken too); without a version the
    latest one runs. ``inputs`` are plain JSON; large ones may lie at ``inputs_uri``, a JSON object in the store.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    launch_plan: str
    inputs: dict[str, Json] = {}
    inputs_uri: str | None = None
    options: LaunchOptions = LaunchOptions()
    project: str | None = None
    domain: str | None = None
    version: str | None = None
    parent: ParentCall | None = None
    retry: RetryCall | None = None


class ExecutionContext(BaseModel):
    """`execution.json`: what `resolve` decided, read by everything that works for the execution."""

    model_config = ConfigDict(extra="ignore")

    schema_version: int = 1
    execution: str
    project: str
    domain: str
    entity: str  # the URN that was asked for, with the version that was chosen
    spec: str  # the URN of the document whose plan runs: a wf: or tsk:
    workflow: str
    version: str
    launch_plan: str | None = None
    inputs: dict[str, Json]
    options: LaunchOptions
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    raw_data_prefix: str
    namespace: str
    workflow_id: str
    first_run_id: str
    started_at: str  # RFC 3339
    warnings: list[str] = []
    parent: ParentCall | None = None


class ResolvedSettings(BaseModel):
    """The worker's settings that the interpreter obeys; history holds them, so a replay sees the same."""

    model_config = ConfigDict(extra="ignore")

    task_queue: str  # of the backend's task activities
    heartbeat_seconds: float = 10
    max_parallelism: int = 25
    max_in_flight: int = 1_000
    starts_ahead: int = 0  # tasks that may be started before Temporal has started their activities
    max_system_tries: int = 10
    continue_as_new_events: int = 0
    drain_seconds: float = 30
    max_map_items: int = 1_000
    max_dynamic_depth: int = 50


class Resolved(BaseModel):
    """The result of the `resolve` activity."""

    model_config = ConfigDict(extra="ignore")

    interpreter: int
    root: str  # layout.ExecutionLayout.root
    execution: str
    project: str
    domain: str
    workflow: str
    version: str
    launch_plan: str | None
    labels: dict[str, str]  # those that become a search attribute
    inputs: dict[str, Json] | None  # None: too large to be inline
    plan: str | None  # the only page, or None: ``plan_pages`` pages are fetched
    plan_pages: int
    settings: ResolvedSettings
    search_attributes: bool  # whether the namespace knows flytemp's
    warnings: list[str] = []
    options: LaunchOptions = LaunchOptions()
    parent: ParentCall | None = None
    timeout_seconds: float | None = None
    retry: RetryCall | None = None  # it goes on from the state in which it had ended
    state_pages: int = 0  # of that state

    def to_json(self) -> dict[str, Any]:
        return self.model_dump(mode="json")


def place_of(workflow_id: str) -> tuple[str, str]:
    """Project and domain: as an id of ours says, else the defaults."""
    parts = workflow_id.split(":")
    if len(parts) == 4 and parts[0] == "ex":
        try:
            return check_project(parts[1]), check_domain(parts[2])
        except InvalidName:  # somebody else's id that looks like ours
            pass
    return DEFAULT_PROJECT, DEFAULT_DOMAIN


def raw_data_uri(prefix: str, root: str) -> str:
    """Where the files of an execution lie; ``root`` is that of its layout."""
    return f"{prefix.rstrip('/')}/{root.partition('/')[2]}"
