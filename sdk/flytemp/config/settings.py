"""Types of the settings. They have no secrets: those are only in Temporal's own configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal

from flytemp.config.dev_state import DevState


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """Settings of `flytemp worker`: section ``[worker]``, variables ``FLYTEMP_WORKER_…``."""

    slots: int
    """Maximum number of tasks that run at once, each in its own process; by default one per CPU."""
    backend: Literal["process", "kubernetes", "noop"]
    """Backend: "process" runs tasks on this machine, "kubernetes" runs each task in a pod, and "noop" returns without running
    tasks, to measure the cost of everything else."""
    pool: str
    """Name of the pool whose tasks this worker runs. By default, the worker runs the interpreter and the tasks without a pool."""
    heartbeat_seconds: float
    """Seconds without a heartbeat after which a running task counts as lost; by default 10, for pods 60."""
    grace_seconds: float
    """Seconds between SIGTERM and SIGKILL for a task that timed out or was cancelled."""
    drain_seconds: float
    """Seconds that running tasks may continue after the worker received SIGTERM."""
    recycle_after: int
    """Number of tasks after which a task process is replaced."""
    max_parallelism: int
    """Default of the number of task nodes of one execution that run at once; 0 is no limit."""
    max_in_flight: int
    """Maximum number of pending activities of one execution; Temporal's own limit is 2,000."""
    max_system_tries: int
    """Maximum number of tries of one attempt whose process or machine is lost."""
    continue_as_new_events: int
    """Number of history events after which an execution continues as new; 0 leaves the decision to the server."""
    continue_as_new_drain_seconds: float
    """Seconds that an execution waits for running activities before it continues as new."""
    max_map_items: int
    """Maximum number of map items in one Temporal workflow. A larger map runs in chunks of this size."""
    max_dynamic_depth: int
    """Maximum depth of nested dynamic tasks, including recursion."""
    pass_environment: tuple[str, ...]
    """Environment variables of the worker that are passed to tasks, besides a few standard ones."""
    metrics_address: str
    """host:port of /metrics, /healthz and /readyz; empty to disable them."""
    sdk_metrics_address: str
    """host:port of the Temporal SDK's own metrics; empty to disable them."""


@dataclass(frozen=True, slots=True)
class KubernetesSettings:
    """Settings of the pods of `flytemp worker`: section ``[kubernetes]``, variables ``FLYTEMP_KUBERNETES_…``."""

    kubeconfig: str | None
    """Path of a kubeconfig file; None: kubectl's default, or the service account inside a cluster."""
    context: str | None
    """Context of the kubeconfig; None: the current context."""
    namespace: str | None
    """Namespace of pods, in which {project} and {domain} are replaced. None: the policy's, else the context's namespace."""
    image: str | None
    """Image of tasks without an image."""
    policy: Path | None
    """Path of the TOML file with the operator's policy for pods."""
    pods: int
    """Maximum number of pods that one worker process runs at once."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The effective settings."""

    project: str
    domain: str
    store: str
    """URI of the store."""
    raw_data_prefix: str
    """URI prefix of the files that tasks write."""
    allowed_uri_prefixes: tuple[str, ...]
    """Prefixes of URIs that a launch may name, besides the raw-data prefix and the uploads in the store."""
    task_queue: str
    address: str
    """host:port of the Temporal server."""
    namespace: str
    """Temporal namespace."""
    profile: str | None
    """Selected profile of Temporal's configuration; None for the default profile."""
    config_file: Path | None
    """Path of Temporal's configuration file, or None."""
    ui_url: str | None
    """URL of Temporal's web UI without a trailing slash, or None."""
    project_dir: Path
    """Folder with flytemp.toml, else with .flytemp, else the current folder."""
    state_dir: Path
    """Folder of caches and of the embedded server's database."""
    worker: WorkerSettings
    kubernetes: KubernetesSettings
    dev: DevState | None = None
    """The running `flytemp dev` that the settings use, or None. Its connection uses no TLS or API key of a profile."""
    origins: Mapping[str, str] = field(default_factory=dict)
    """Origin of each value by key: "default", "environment FLYTEMP_STORE", "flytemp.toml (path)", "--store", …"""
    notes: tuple[str, ...] = ()
    """Notes for the user: a stale state file, a misspelt variable."""

    def describe(self) -> list[tuple[str, str, str]]:
        """Return each key, its value as text, and its origin. A key of a section is ``<section>.<key>``."""
        own = [name.name for name in fields(self) if name.name not in ("worker", "kubernetes", "dev", "origins", "notes")]
        rows = [(key, _text(getattr(self, key)), self.origins.get(key, "default")) for key in own]
        for name, section in (("worker", self.worker), ("kubernetes", self.kubernetes)):
            for item in fields(section):
                key = f"{name}.{item.name}"
                rows.append((key, _text(getattr(section, item.name)), self.origins.get(key, "default")))
        return rows


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ",".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)
