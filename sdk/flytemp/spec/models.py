"""The spec's models: what `flytemp register` writes and every other part reads.

A registered entity is one *document*: self-contained (a workflow's document holds every task and
sub-workflow it needs) and immutable. JSON Schema: ``flytemp.spec.schema``.
"""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from flytemp.literals.types import Json, LiteralType, SchemaModel, SimpleKind
from flytemp.spec.tasks import AcceleratorSpec as AcceleratorSpec
from flytemp.spec.tasks import Backoff as Backoff
from flytemp.spec.tasks import BundleRef as BundleRef
from flytemp.spec.tasks import CacheSpec as CacheSpec
from flytemp.spec.tasks import ContainerSpec as ContainerSpec
from flytemp.spec.tasks import Docs as Docs
from flytemp.spec.tasks import Interface as Interface
from flytemp.spec.tasks import PodTemplateSpec as PodTemplateSpec
from flytemp.spec.tasks import ResourceAmounts as ResourceAmounts
from flytemp.spec.tasks import ResourceSpec as ResourceSpec
from flytemp.spec.tasks import Retries as Retries
from flytemp.spec.tasks import SecretRequest as SecretRequest
from flytemp.spec.tasks import SourceLocation as SourceLocation
from flytemp.spec.tasks import TaskSettings as TaskSettings
from flytemp.spec.tasks import TaskSpec as TaskSpec
from flytemp.spec.tasks import Variable as Variable

SCHEMA_VERSION = 1


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
    around the branch.
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


NodeKind: TypeAlias = Literal["task", "workflow", "launch_plan", "branch", "map", "dynamic", "gate", "sleep"]


class NodeSpec(SchemaModel):
    """One step.

    ``target`` names an entry of the document's ``tasks`` (kinds ``task`` and ``dynamic``), ``workflows`` or
    ``launch_plans``; for a ``map`` the entry that is called for each item; it is empty for the other kinds, of which
    each has the field of its name: ``branch``, ``gate``, ``sleep_seconds``.
    """

    id: str
    kind: NodeKind
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
    service_account: str | None = None
    docs: Docs = Docs()
    location: SourceLocation | None = None


# --------------------------------------------------------------------------------------- documents


Section: TypeAlias = Literal["tasks", "workflows", "launch_plans"]
"""The sections of `WorkflowDocument` that have the entities that nodes call."""


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
