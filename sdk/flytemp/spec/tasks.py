"""Models of tasks. `flytemp.spec.models` exports all models."""

from __future__ import annotations

from typing import Literal, TypeAlias

from flytemp.literals.types import Json, LiteralType, SchemaModel


class SourceLocation(SchemaModel):
    """Place in the user's code. It is not part of digests. ``file`` is relative to the import root."""

    file: str
    line: int


class Docs(SchemaModel):
    short: str = ""
    long: str = ""


class Variable(SchemaModel):
    """Input or output. ``required`` is false for an input with a ``default``, a literal that may be null."""

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
    """Code that the tasks of a document import.

    ``digest`` is the sha256, in hex, of the tar archive before compression: the same everywhere, whatever zlib
    compressed it.
    """

    digest: str
    size: int  # bytes of the tar archive
    import_roots: tuple[str, ...] = (".",)  # folders of the archive that are added to sys.path, in this order


class Backoff(SchemaModel):
    """Back-off before attempt n+1: ``min(base * factor**(n-1), cap)`` seconds, times 0.5 to 1.0 with ``jitter``."""

    base_seconds: float = 1.0
    factor: float = 2.0
    cap_seconds: float = 60.0
    jitter: bool = True


class Retries(SchemaModel):
    """Number of further attempts after a failure of user code, and the back-off between attempts."""

    count: int = 0
    backoff: Backoff = Backoff()


class ResourceAmounts(SchemaModel):
    """Amounts of resources, as Kubernetes quantities."""

    cpu: str | None = None
    memory: str | None = None
    gpu: str | None = None
    ephemeral_storage: str | None = None


class ResourceSpec(SchemaModel):
    requests: ResourceAmounts = ResourceAmounts()
    limits: ResourceAmounts = ResourceAmounts()


class CacheSpec(SchemaModel):
    """Cache settings. This version stores them, runs every task, and reports that at registration."""

    version: str
    serialize: bool = False
    ignored_inputs: tuple[str, ...] = ()
    salt: str = ""


class SecretRequest(SchemaModel):
    """Name of a secret. The value of the secret is never part of a spec, a history or a log."""

    group: str | None = None
    key: str | None = None
    group_version: str | None = None
    mount: Literal["any", "env", "file"] = "any"
    env_var: str | None = None


class PodTemplateSpec(SchemaModel):
    """Pod template. ``spec`` is a Kubernetes PodSpec as JSON."""

    spec: dict[str, Json] = {}
    primary_container_name: str = "primary"
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class AcceleratorSpec(SchemaModel):
    device: str
    partition_size: str | None = None
    unpartitioned: bool = False


Reuse: TypeAlias = Literal["process", "imports", "nothing"]
"""Parts of a process that tasks of the process backend share: the process with its state, only its imports, or nothing."""


class TaskSettings(SchemaModel):
    """Settings of a task from `@task`, which `with_overrides` may replace."""

    retries: Retries = Retries()
    timeout_seconds: float | None = None  # of one attempt, from the start of the user's code; None: no limit
    queued_timeout_seconds: float | None = None  # of one attempt, until it runs
    deadline_seconds: float | None = None  # of the node: all attempts and the back-offs between them
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
    reuse: Reuse = "imports"
    enable_deck: bool = False
    deck_fields: tuple[str, ...] = ()
    deprecated: str = ""


class ContainerSpec(SchemaModel):
    """Command of an image that does not need flytemp.

    Each input is a file in ``input_data_dir`` with the input's name. Files, directories and bytes are copied. Strings, numbers,
    booleans, times and enums are written as text, other values as JSON. An input that is null has no file. The file
    ``inputs.<metadata_format>`` has all inputs. The command writes a file for each output to ``output_data_dir``, in the same
    form. ``{{.inputs.name}}`` in ``command`` and ``arguments`` is replaced by the input's text; use the path of a file instead.
    An empty ``command`` means the command of the image.

    ``io_strategy`` has no effect: data is always copied before the command starts and after it has ended.
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

    The kinds of flytemp are ``python`` (a function), ``dynamic`` (a function that builds a graph, which runs in place of the
    task), ``container`` (a command, see `ContainerSpec`) and ``shell`` (a script in ``config``). The kind ``reference`` stands
    for the task of another project, domain or version, by its URN; registration replaces it. ``bundle`` is the code of a
    referenced task; None: the code of the document.
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
