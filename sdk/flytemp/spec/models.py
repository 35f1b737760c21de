"""The spec's models: what `flytemp register` writes and every other part reads.

A registered entity is one *document*: self-contained (a workflow's document holds every task and
sub-workflow it needs) and immutable. JSON Schema: ``flytemp.spec.schema``.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from flytemp.literals.types import Json, LiteralType, SchemaModel

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


class ListBinding(SchemaModel):
    kind: Literal["list"] = "list"
    items: tuple[Binding, ...]


class MapBinding(SchemaModel):
    kind: Literal["map"] = "map"
    entries: dict[str, Binding]


Binding: TypeAlias = Annotated[
    LiteralBinding | InputBinding | OutputBinding | ListBinding | MapBinding, Field(discriminator="kind")
]

# ------------------------------------------------------------------------------------------- tasks


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
    """A Python function that runs in a container or a process of its own."""

    kind: Literal["python"] = "python"
    name: str
    interface: Interface
    loader: str  # "module:attribute", imported from the code bundle
    settings: TaskSettings = TaskSettings()
    docs: Docs = Docs()
    location: SourceLocation | None = None


# --------------------------------------------------------------------------------------- workflows


class NodeOverrides(SchemaModel):
    """Replacements by `with_overrides`; ``settings`` is the complete effective `TaskSettings`."""

    name: str | None = None
    settings: TaskSettings | None = None


class NodeSpec(SchemaModel):
    """One step. ``target`` names an entry of the document's ``tasks`` or ``workflows``."""

    id: str
    kind: Literal["task", "workflow"]
    target: str
    inputs: dict[str, Binding] = {}
    after: tuple[str, ...] = ()  # nodes that must have succeeded first, beyond those the bindings name
    overrides: NodeOverrides = NodeOverrides()
    location: SourceLocation | None = None


class WorkflowSpec(SchemaModel):
    name: str
    interface: Interface
    nodes: tuple[NodeSpec, ...] = ()
    outputs: dict[str, Binding] = {}
    failure_policy: Literal["fail-immediately", "fail-after-executable-nodes-complete"] = "fail-immediately"
    interruptible: bool = False
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    docs: Docs = Docs()
    location: SourceLocation | None = None


class LaunchPlanSpec(SchemaModel):
    """A workflow with some inputs given. ``fixed_inputs`` disappear from what a caller may set."""

    name: str
    workflow: str
    variable: str = ""  # the variable that holds it in its file, by which people may call it
    default_inputs: dict[str, Json] = {}
    fixed_inputs: dict[str, Json] = {}
    max_parallelism: int | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    raw_data_prefix: str | None = None
    interruptible: bool | None = None
    overwrite_cache: bool | None = None
    docs: Docs = Docs()
    location: SourceLocation | None = None


# --------------------------------------------------------------------------------------- documents


class BundleRef(SchemaModel):
    """The code a document's tasks import.

    ``digest`` is the sha256, in hex, of the tar archive before compression: the same everywhere, whatever zlib
    compressed it.
    """

    digest: str
    size: int  # bytes of the tar archive
    import_roots: tuple[str, ...] = (".",)  # folders of the archive put on sys.path, in this order


class TaskDocument(SchemaModel):
    schema_version: Literal[1] = 1
    kind: Literal["task"] = "task"
    task: TaskSpec
    bundle: BundleRef | None = None

    @property
    def name(self) -> str:
        return self.task.name


class WorkflowDocument(SchemaModel):
    """``workflows[name]`` is the workflow itself; the other entries are its sub-workflows."""

    schema_version: Literal[1] = 1
    kind: Literal["workflow"] = "workflow"
    name: str
    workflows: dict[str, WorkflowSpec]
    tasks: dict[str, TaskSpec] = {}
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

for _model in (ListBinding, MapBinding, NodeSpec, WorkflowSpec, WorkflowDocument):
    _model.model_rebuild()
