"""Launch request of an execution, and the context that `resolve` derives from it.

`LaunchRequest` is the stable, public input of the workflow type ``FlytempWorkflow``: any Temporal SDK, the
``temporal`` command line, a schedule or a parent workflow may write it.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from flytemp.errors import InvalidName
from flytemp.literals.types import Json
from flytemp.names import DEFAULT_DOMAIN, DEFAULT_PROJECT, check_domain, check_project

INLINE_INPUTS_BYTES = 64 * 1024
"""Maximum size of inputs in the start request. Larger inputs are stored, and the request has their ``inputs_uri``."""

RESULT_INLINE_BYTES = 64 * 1024
"""Maximum size of outputs in the workflow's result. Larger outputs are stored, and the result has their ``outputs_uri``."""


class LaunchOptions(BaseModel):
    """Options of one execution. Each takes precedence over the launch plan's value.

    Attributes:
        max_parallelism: the maximum number of tasks that run at once, 0 for no limit; 25 by default.
        timeout_seconds: the time after which the execution is stopped and TIMED_OUT.
        labels: labels, instead of the launch plan's.
        annotations: annotations, instead of the launch plan's.
        raw_data_prefix: the URI under which files are stored.
        interruptible: run tasks on interruptible cluster nodes.
        overwrite_cache: run cached tasks again and replace their results.
        service_account: the Kubernetes service account of the tasks' pods.
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
    """Call of a launch plan by a node of a parent execution. It is not part of the public input.

    Attributes:
        workflow_id: the id of the workflow that runs the node.
        node: the path of the node.
        attempt: the number of the node's attempt.
        execution: the name of the parent execution.
        options: the options of the parent execution; `flytemp.launching.launch_options` has the rules of inheritance.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    workflow_id: str
    node: str
    attempt: int
    execution: str = ""
    options: LaunchOptions = LaunchOptions()


class RetryCall(BaseModel):
    """Retry of a closed execution: of the given nodes, or of every failed node if there are none."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    nodes: list[str] = []
    by: str = ""


class LaunchRequest(BaseModel):
    """Input of the workflow type ``FlytempWorkflow``.

    Attributes:
        launch_plan: the name or URN of a launch plan (``lp:…``), workflow (``wf:…``) or task (``tsk:…``).
        inputs: the inputs as plain JSON.
        inputs_uri: the URI of a JSON object in the store with more inputs, if they are large.
        options: the options of the execution.
        project: the project to search; by default that of the workflow id.
        domain: the domain to search; by default that of the workflow id.
        version: the version; the latest if None.
        parent: the call by a parent execution. flytemp sets it.
        retry: the retry of a closed execution. flytemp sets it.
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
    """Content of ``execution.json``: the decisions of `resolve`, for everything that works for the execution.

    Attributes:
        execution: the name of the execution.
        entity: the URN of the launched entity, with its version.
        spec: the URN of the workflow or task whose plan runs.
        inputs: the complete inputs.
        options: the effective options.
        started_at: the start time, as RFC 3339.
        parent: the call by the parent execution, for a child execution.
        allows_each_uri: the worker's user launched the execution, so files may be read at each address.
    """

    model_config = ConfigDict(extra="ignore")

    schema_version: int = 1
    execution: str
    project: str
    domain: str
    entity: str
    spec: str
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
    started_at: str
    warnings: list[str] = []
    parent: ParentCall | None = None
    allows_each_uri: bool = False


def project_and_domain(workflow_id: str) -> tuple[str, str]:
    """Return the project and the domain in a workflow id of flytemp, or the defaults for any other id."""
    parts = workflow_id.split(":")
    if len(parts) == 4 and parts[0] == "ex":
        try:
            return check_project(parts[1]), check_domain(parts[2])
        except InvalidName:  # an id of another program that has the same form
            pass
    return DEFAULT_PROJECT, DEFAULT_DOMAIN


def raw_data_uri(prefix: str, root: str) -> str:
    """Return the URI of the folder of an execution's files; ``root`` is the root of its layout."""
    return f"{prefix.rstrip('/')}/{root.partition('/')[2]}"
