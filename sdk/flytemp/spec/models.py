"""Models of the spec, the documents that registration writes.

A registered entity is one immutable *document*. It is self-contained: the document of a workflow has every task and
sub-workflow that the workflow needs. `flytemp.spec.schema` has the JSON Schema.
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
    """Value that is known when the program is compiled."""

    kind: Literal["literal"] = "literal"
    value: Json


class InputBinding(SchemaModel):
    """Input of the enclosing workflow. ``path`` leads to a part of it by field names, list indexes and map keys."""

    kind: Literal["input"] = "input"
    var: str
    path: tuple[str | int, ...] = ()


class OutputBinding(SchemaModel):
    """Output of another node of the same workflow; ``path`` is as in `InputBinding`."""

    kind: Literal["output"] = "output"
    node: str
    var: str
    path: tuple[str | int, ...] = ()


class ErrorBinding(SchemaModel):
    """Error of the workflow, ``{"message", "failed_node_id"}``; only for inputs of `WorkflowSpec.on_failure`."""

    kind: Literal["error"] = "error"


class ListBinding(SchemaModel):
    """List of bindings."""

    kind: Literal["list"] = "list"
    items: tuple[Binding, ...]


class MapBinding(SchemaModel):
    """Map of bindings."""

    kind: Literal["map"] = "map"
    entries: dict[str, Binding]


Binding: TypeAlias = Annotated[
    LiteralBinding | InputBinding | OutputBinding | ErrorBinding | ListBinding | MapBinding, Field(discriminator="kind")
]

# --------------------------------------------------------------------------------------- workflows


class NodeOverrides(SchemaModel):
    """Replacements by `with_overrides`. ``settings`` are the complete effective settings of the node's task."""

    name: str | None = None
    settings: TaskSettings | None = None


class Comparison(SchemaModel):
    """``left operator right``. Both are compared as values of ``type``. A type without an order allows only == and !=."""

    kind: Literal["comparison"] = "comparison"
    operator: Literal["<", "<=", ">", ">=", "==", "!="]
    left: Binding
    right: Binding
    type: SimpleKind


class Junction(SchemaModel):
    """Conjunction (``and``) or disjunction (``or``) of conditions."""

    kind: Literal["and", "or"]
    terms: tuple[Condition, ...]


Condition: TypeAlias = Annotated[Comparison | Junction, Field(discriminator="kind")]


class BranchCase(SchemaModel):
    """Case of a branch, taken if ``condition`` is true or None: it runs a node, or fails with a message.

    The node is inside the branch, so its path is the path of the branch and its own id. Its bindings refer to the graph
    around the branch.
    """

    condition: Condition | None = None
    node: NodeSpec | None = None
    fail: str | None = None


class BranchSpec(SchemaModel):
    """Choice between cases. The first case whose condition is true is taken, and the nodes of the other cases are SKIPPED.

    If no case is taken, the branch fails. ``outputs`` are the outputs that the nodes of all cases have.
    """

    cases: tuple[BranchCase, ...]
    outputs: tuple[Variable, ...] = ()


class MapSpec(SchemaModel):
    """Calls of the node's target, one for each item of the lists that the inputs ``over`` get, which have equal lengths.

    The other inputs are the same for every call. The node's outputs are lists of the calls' outputs, with null for failed
    calls. ``concurrency`` is the maximum number of concurrent calls; None and 0 set no limit. The map succeeds if at least
    ``min_successes`` calls, and at least the ratio ``min_success_ratio`` of them, succeed. It fails as soon as this is
    impossible or, with ``run_all``, after all calls have finished. ``items_per_task`` calls of a task share one start of a
    process or pod.
    """

    kind: Literal["task", "workflow", "launch_plan", "dynamic"] = "task"
    over: tuple[str, ...]
    concurrency: int | None = None
    min_successes: int | None = None
    min_success_ratio: float = 1.0
    items_per_task: int = 1
    run_all: bool = False


class GateSpec(SchemaModel):
    """Wait for an answer of a person or a program, who refers to the gate by its ``name``.

    An ``approve`` gate returns its input ``value`` as the output ``o0`` after an approval; a rejection fails the node. An
    ``input`` gate returns the answer, a value of ``type``, as the output ``o0``.
    """

    kind: Literal["approve", "input"]
    name: str
    type: LiteralType | None = None
    timeout_seconds: float | None = None


NodeKind: TypeAlias = Literal["task", "workflow", "launch_plan", "branch", "map", "dynamic", "gate", "sleep"]


class NodeSpec(SchemaModel):
    """Step of a graph.

    ``target`` is the key of the called entity in the document's ``tasks`` (kinds ``task`` and ``dynamic``), ``workflows`` or
    ``launch_plans``. The target of a ``map`` is the entity that is called for each item. The other kinds have no target.
    ``branch``, ``map``, ``gate`` and ``sleep_seconds`` belong to the kinds of these names.
    """

    id: str
    kind: NodeKind
    target: str = ""
    inputs: dict[str, Binding] = {}
    after: tuple[str, ...] = ()  # nodes that must succeed first, in addition to those in bindings
    overrides: NodeOverrides = NodeOverrides()
    branch: BranchSpec | None = None
    map: MapSpec | None = None
    gate: GateSpec | None = None
    sleep_seconds: float | None = None
    location: SourceLocation | None = None


class WorkflowSpec(SchemaModel):
    """Graph of nodes.

    The node ``on_failure`` runs if the workflow fails or is cancelled, after all other nodes have stopped. The workflow is
    then FAILED or ABORTED, whatever the result of that node. ``timeout_seconds`` counts from the start of the workflow, which
    then is TIMED_OUT. ``reference`` is the URN of a workflow of another project, domain or version; registration replaces the
    reference by that workflow.
    """

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
        """Nodes by their ids, including ``on_failure``."""
        handler = (self.on_failure,) if self.on_failure is not None else ()
        return {node.id: node for node in (*self.nodes, *handler)}


class LaunchPlanReference(SchemaModel):
    """Launch plan that a node calls as an execution of its own.

    ``project`` and ``domain`` are by default those of the caller. ``version`` is by default the caller's version if project
    and domain are the caller's, else the latest. ``interface`` has the inputs that a caller may give, and the outputs.
    """

    name: str
    project: str | None = None
    domain: str | None = None
    version: str | None = None
    interface: Interface


class LaunchPlanSpec(SchemaModel):
    """Workflow with default and fixed inputs and launch options. A caller cannot set ``fixed_inputs``."""

    name: str
    workflow: str
    variable: str = ""  # variable that has the launch plan in its module; users may refer to it by that name
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
    """Document of a task."""

    schema_version: Literal[1] = 1
    kind: Literal["task"] = "task"
    task: TaskSpec
    bundle: BundleRef | None = None

    @property
    def name(self) -> str:
        return self.task.name


class WorkflowDocument(SchemaModel):
    """Document of a workflow. ``workflows[name]`` is the workflow; the other entries are its sub-workflows.

    The keys of ``tasks``, ``workflows`` and ``launch_plans`` are the targets of nodes: names, or URNs of entities of other
    projects, domains and versions. A dynamic task writes such a document for its graph.
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
    """Document of a launch plan, which runs the workflow of the same project, domain and version and has its ``interface``."""

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
