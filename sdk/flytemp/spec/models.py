"""The spec's models: what `flytemp register` writes and every other part reads.

A registered entity is one *document*: self-contained (a workflow's document holds every task and
sub-workflow it needs) and immutable. JSON Schema: ``flytemp.spec.schema``.
"""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from flytemp.literals.types import Json, LiteralType, SchemaModel, SimpleKind

SCHEMA_VERSION = 1


class SourceLocation(SchemaModel):
    """Where the user wrote it; never part of a digest. ``file`` is relative to the import root."""

    file: str
    line: int


class Docs(SchemaModel):
    short: str = ""
    long: str = ""


class Variable(SchemaModel):
    """One input or output. ``required`` is false for an input with a ``default`` (a literal, maybe null)."""

    name: str
    type: LiteralType
    description: str = ""
    required: bool = True
    default: Json = None


class Interface(SchemaModel):
    """Inputs and outputs, in the order of the signature."""

    inputs: tuple[Variable, ...] = ()
    outputs: tuple[Variable, ...] = ()


# ---------------------------------------------------------------------------------------- bindings


class LiteralBinding(SchemaModel):
    """A value known when the program was compiled."""

    kind: Literal["literal"] = "literal"
    value: Json


class InputBinding(SchemaModel):
    """An input of the enclosing workflow. ``path`` walks into it: field names, list indexes, map keys."""

    kind: Literal["input"] = "input"
    var: str
    path: tuple[str | int, ...] = ()


class OutputBinding(SchemaModel):
    """An output of another node of the same workflow; ``path`` as in `InputBinding`."""

    kind: Literal["output"] = "output"
    node: str
    var: str
    path: tuple[str | int, ...] = ()


class ErrorBinding(SchemaModel):
    """Why the workflow failed, ``{"message", "failed_node_id"}``: only in the inputs of `WorkflowSpec.on_failure`."""

    kind: Literal["error"] = "error"


class ListBinding(SchemaModel):
    kind: Literal["list"] = "list"
    items: tuple[Binding, ...]


class MapBinding(SchemaModel):
    kind: Literal["map"] = "map"
    entries: dict[str, Binding]


Binding: TypeAlias = Annotated[
    LiteralBinding | InputBinding | OutputBinding | ErrorBinding | ListBinding | MapBinding, Field(discriminator="kind")
]

# ------------------------------------------------------------------------------------------- tasks


class BundleRef(SchemaModel):
    """The code a document's tasks import.

    ``digest`` is the sha256, in hex, of the tar archive before compression: the same everywhere, whatever zlib
    compressed it.
    """

    digest: str
    size: int  # bytes of the tar archive
    import_roots: tuple[str, ...] = (".",)  # folders of the archive put on sys.path, in this order


class Backoff(SchemaModel):
    """Wait before attempt n+1: ``min(base * factor**(n-1), cap)`` seconds, times 0.5 to 1.0 when ``jitter``."""

    base_seconds: float = 1.0
    factor: float = 2.0
    cap_seconds: float = 60.0
    jitter: bool = True


class Retries(SchemaModel):
    """``count`` more attempts after the first for failures of user code."""

    count: int = 0
    backoff: Backoff = Backoff()


class ResourceAmounts(SchemaModel):
    """Kubernetes quantities, as text."""

    cpu: str | None = None
    memory: str | None = None
    gpu: str | None = None
    ephemeral_storage: str | None = None


class ResourceSpec(SchemaModel):
    requests: ResourceAmounts = ResourceAmounts()
    limits: ResourceAmounts = ResourceAmounts()


class CacheSpec(SchemaModel):
    """Stored as written; this version runs every task and says so when the task is registered."""

    version: str
    serialize: bool = False
    ignored_inputs: tuple[str, ...] = ()
    salt: str = ""


class SecretRequest(SchemaModel):
    """The *name* of a secret; its value never enters a spec, a history or a log."""

    group: str | None = None
    key: str | None = None
    group_version: str | None = None
    mount: Literal["any", "env", "file"] = "any"
    env_var: str | None = None


class PodTemplateSpec(SchemaModel):
    """``spec`` is a Kubernetes PodSpec as JSON."""

    spec: dict[str, Json] = {}
    primary_container_name: str = "primary"
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class AcceleratorSpec(SchemaModel):
    device: str
    partition_size: str | None = None
    unpartitioned: bool = False


class TaskSettings(SchemaModel):
    """How a task runs: what `@task` says and `with_overrides` may replace."""

    retries: Retries = Retries()
    timeout_seconds: float | None = None  # of one attempt, from when user code's process has it; None: no limit
    queued_timeout_seconds: float | None = None  # that one attempt may wait until it runs
    deadline_seconds: float | None = None  # of the node: all attempts and the waiting between them
    interruptible: bool | None = None
    cache: CacheSpec | None = None
    container_image: str | None = None
    resources: ResourceSpec = ResourceSpec()
    environment: dict[str, str] = {}
    secrets: tuple[SecretRequest, ...] = ()
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    pod_template: PodTemplateSpec | None = None
    pod_template_name: str | None = None
    accelerator: AcceleratorSpec | None = None
    shared_memory: str | bool | None = None
    enable_deck: bool = False
    deck_fields: tuple[str, ...] = ()
    deprecated: str = ""


class TaskSpec(SchemaModel):
    """A Python function that runs in a container or a process of its own.

    ``dynamic``: what it returns is a graph, which runs in its place. ``reference``: the task of another project, domain
    or version, by its URN; registering puts that task in its place. ``bundle`` is such a task's own code; None: the
    document's.
    """

    kind: Literal["python", "dynamic", "reference"] = "python"
    name: str
    interface: Interface
    loader: str  # "module:attribute", imported from the code bundle
    settings: TaskSettings = TaskSettings()
    bundle: BundleRef | None = None
    reference: str | None = None
    docs: Docs = Docs()
    location: SourceLocation | None = None


# --------------------------------------------------------------------------------------- workflows


class NodeOverrides(SchemaModel):
    """Replacements by `with_overrides`; ``settings`` is the complete effective `TaskSettings`."""

    name: str | None = None
    settings: TaskSettings | None = None


class Comparison(SchemaModel):
    """``left operator right``. ``type`` is what both are compared as; values of a type without order only equal."""

    kind: Literal["comparison"] = "comparison"
    operator: Literal["<", "<=", ">", ">=", "==", "!="]
    left: Binding
    right: Binding
    type: SimpleKind


class Junction(SchemaModel):
    """All of ``terms`` (``and``), or any of them (``or``)."""

    kind: Literal["and", "or"]
    terms: tuple[Condition, ...]


Condition: TypeAlias = Annotated[Comparison | Junction, Field(discriminator="kind")]


class BranchCase(SchemaModel):
    """What follows when ``condition`` holds (None: always): a node, or a failure with a message.

    The node lives in the branch: its path is the branch's with its own id added. Its bindings are those of the graph
    around the branch. It is a task, workflow, launch plan, dynamic, gate, sleep or another branch.
    """

    condition: Condition | None = None
    node: NodeSpec | None = None
    fail: str | None = None


class BranchSpec(SchemaModel):
    """The first case whose condition holds is taken, the nodes of the others are SKIPPED. Without a last case that has
    no condition, and when none holds, the node fails. ``outputs`` are those that every case's node has."""

    cases: tuple[BranchCase, ...]
    outputs: tuple[Variable, ...] = ()


class MapSpec(SchemaModel):
    """Call ``target`` once for each item of the lists bound to ``over``, which are equally long; its other inputs are
    the same for every call. The node's outputs are lists of the calls' outputs, with null for those that failed.

    ``concurrency``: calls at once, None or 0 for no bound of the map's own. It succeeds when at least ``min_successes``
    and at least ``min_success_ratio`` of the calls did, and fails as soon as that cannot be reached, or, with
    ``run_all``, when all calls are over. ``items_per_task`` calls of a task share one process or pod start.
    """

    kind: Literal["task", "workflow", "launch_plan", "dynamic"] = "task"
    over: tuple[str, ...]
    concurrency: int | None = None
    min_successes: int | None = None
    min_success_ratio: float = 1.0
    items_per_task: int = 1
    run_all: bool = False


class GateSpec(SchemaModel):
    """A node that waits for a person or a program.

    ``approve``: the input ``value`` becomes the output ``o0`` when it is approved; a rejection fails the node.
    ``input``: what is given, a value of ``type``, is the output ``o0``. ``name`` is what the answer names.
    """

    kind: Literal["approve", "input"]
    name: str
    type: LiteralType | None = None
    timeout_seconds: float | None = None


class NodeSpec(SchemaModel):
    """One step.

    ``target`` names an entry of the document's ``tasks`` (kinds ``task`` and ``dynamic``), ``workflows`` or
    ``launch_plans``; for a ``map`` the entry that is called for each item; it is empty for the other kinds, of which
    each has the field of its name: ``branch``, ``gate``, ``sleep_seconds``.
    """

    id: str
    kind: Literal["task", "workflow", "launch_plan", "branch", "map", "dynamic", "gate", "sleep"]
    target: str = ""
    inputs: dict[str, Binding] = {}
    after: tuple[str, ...] = ()  # nodes that must have succeeded first, beyond those the bindings name
    overrides: NodeOverrides = NodeOverrides()
    branch: BranchSpec | None = None
    map: MapSpec | None = None
    gate: GateSpec | None = None
    sleep_seconds: float | None = None
    location: SourceLocation | None = None


class WorkflowSpec(SchemaModel):
    """A graph. ``on_failure`` runs when it failed or was cancelled, after all else has stopped; whatever comes of it,
    the workflow is FAILED or ABORTED. ``timeout_seconds`` counts from the workflow's start; then it is TIMED_OUT.
    ``reference``: the workflow of another project, domain or version, by its URN; registering puts it in its place."""

    name: str
    interface: Interface
    nodes: tuple[NodeSpec, ...] = ()
    outputs: dict[str, Binding] = {}
    failure_policy: Literal["fail-immediately", "fail-after-executable-nodes-complete"] = "fail-immediately"
    on_failure: NodeSpec | None = None
    timeout_seconds: float | None = None
    reference: str | None = None
    interruptible: bool = False
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    docs: Docs = Docs()
    location: SourceLocation | None = None

    @cached_property
    def by_id(self) -> dict[str, NodeSpec]:
        """Its nodes by their ids, ``on_failure`` included."""
        handler = (self.on_failure,) if self.on_failure is not None else ()
        return {node.id: node for node in (*self.nodes, *handler)}


class LaunchPlanReference(SchemaModel):
    """A launch plan that a node calls: an execution of its own.

    Without ``project`` and ``domain`` it is the caller's; without ``version``, and when both are the caller's own, it
    is the caller's version, else the latest. ``interface`` is what a caller may give, and what comes back.
    """

    name: str
    project: str | None = None
    domain: str | None = None
    version: str | None = None
    interface: Interface


class LaunchPlanSpec(SchemaModel):
    """A workflow with some inputs given. ``fixed_inputs`` disappear from what a caller may set."""

    name: str
    workflow: str
    variable: str = ""  # the variable that holds it in its file, by which people may call it
    default_inputs: dict[str, Json] = {}
    fixed_inputs: dict[str, Json] = {}
    max_parallelism: int | None = None
    timeout_seconds: float | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    raw_data_prefix: str | None = None
    interruptible: bool | None = None
    overwrite_cache: bool | None = None
    docs: Docs = Docs()
    location: SourceLocation | None = None


# --------------------------------------------------------------------------------------- documents


class TaskDocument(SchemaModel):
    schema_version: Literal[1] = 1
    kind: Literal["task"] = "task"
    task: TaskSpec
    bundle: BundleRef | None = None

    @property
    def name(self) -> str:
        return self.task.name


class WorkflowDocument(SchemaModel):
    """``workflows[name]`` is the workflow itself; the other entries are its sub-workflows.

    ``tasks``, ``workflows`` and ``launch_plans`` are keyed by what nodes call them: their own names, or URNs for those of
    other projects, domains and versions. A `dynamic` task that ran leaves such a document, too.
    """

    schema_version: Literal[1] = 1
    kind: Literal["workflow"] = "workflow"
    name: str
    workflows: dict[str, WorkflowSpec]
    tasks: dict[str, TaskSpec] = {}
    launch_plans: dict[str, LaunchPlanReference] = {}
    bundle: BundleRef | None = None

    @property
    def root(self) -> WorkflowSpec:
        return self.workflows[self.name]


class LaunchPlanDocument(SchemaModel):
    """Runs the workflow of the same project, domain and version; ``interface`` is the workflow's."""

    schema_version: Literal[1] = 1
    kind: Literal["launch_plan"] = "launch_plan"
    launch_plan: LaunchPlanSpec
    interface: Interface
    workflow_digest: str

    @property
    def name(self) -> str:
        return self.launch_plan.name


Document: TypeAlias = Annotated[TaskDocument | WorkflowDocument | LaunchPlanDocument, Field(discriminator="kind")]

for _model in (
    ListBinding, MapBinding, Comparison, Junction, BranchCase, BranchSpec, NodeSpec, WorkflowSpec, WorkflowDocument,
):  # fmt: skip
    _model.model_rebuild()
