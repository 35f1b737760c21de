"""The models of tasks: what one takes and gives, and how it runs. `flytemp.spec.models` has them all."""

from __future__ import annotations

from typing import Literal

from flytemp.literals.types import Json, LiteralType, SchemaModel


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
    pool: str | None = None  # of workers that run the task; None: the default workers
    enable_deck: bool = False
    deck_fields: tuple[str, ...] = ()
    deprecated: str = ""


class ContainerSpec(SchemaModel):
    """A command of an image that need not know flytemp.

    Each input is a file in ``input_data_dir``, under its name: a file or directory as it is, a text, number, boolean, time
    or enum as text, bytes as they are, anything else as JSON; an input that is null has none. All of them are in
    ``inputs.<metadata_format>`` as well. The command leaves a file for each output in ``output_data_dir``, in the same form.
    ``{{.inputs.name}}`` in ``command`` and ``arguments`` is the input's text; files go by their path. An empty ``command``
    is the image's own.

    ``io_strategy`` says when data is moved, as it always is: before the command starts and after it has ended.
    """

    image: str
    command: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    input_data_dir: str = "/var/inputs"
    output_data_dir: str = "/var/outputs"
    metadata_format: Literal["json", "yaml"] = "json"
    io_strategy: Literal["download_eager", "upload_on_exit"] | None = None


class TaskSpec(SchemaModel):
    """A task. ``kind`` names its task type, see `flytemp.task_types`, which checks the fields that depend on the kind.

    The kinds of flytemp are ``python`` (a function), ``dynamic`` (a function that builds a graph, which runs in its place),
    ``container`` (a command, see `ContainerSpec`) and ``shell`` (a script in ``config``). The kind ``reference`` stands for the
    task of another project, domain or version, by its URN; registration replaces it. ``bundle`` is the code of a referenced
    task; None: the code of the document.
    """

    kind: str = "python"
    name: str
    interface: Interface
    loader: str = ""  # "module:attribute", imported from the code bundle
    config: dict[str, Json] = {}  # fields of the task type
    settings: TaskSettings = TaskSettings()
    bundle: BundleRef | None = None
    reference: str | None = None
    container: ContainerSpec | None = None
    docs: Docs = Docs()
    location: SourceLocation | None = None
