"""The settings' types. No secret is ever part of them: those stay in Temporal's own configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal

from flytemp.config.dev_state import DevState


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """What `flytemp worker` does on this machine; section ``[worker]``, variables ``FLYTEMP_WORKER_…``."""

    slots: int
    """Tasks that run at once, each in a process of its own; by default one per CPU."""
    backend: Literal["process", "kubernetes", "noop"]
    """"process" runs tasks on this machine, "kubernetes" each in a pod; "noop" answers without running them, to measure what
    everything else costs."""
    pool: str
    """Name of the pool whose tasks this worker runs. By default, the worker runs the interpreter and the tasks without a pool."""
    heartbeat_seconds: float
    """A running task that is not heard of for so long has lost its worker; by default 10, with pods 60."""
    grace_seconds: float
    """Between TERM and KILL, for a task that timed out or was cancelled."""
    drain_seconds: float
    """How long running tasks may go on after the worker got TERM."""
    recycle_after: int
    """A task process ends after so many tasks."""
    max_parallelism: int
    """Task nodes of one execution that run at once where nobody says; 0 is no limit."""
    max_in_flight: int
    """Activities of one execution that Temporal knows at once; its own limit is 2,000."""
    max_system_tries: int
    """Starts of one attempt of a task whose process or machine is lost, before the attempt fails."""
    continue_as_new_events: int
    """Events of history after which an execution continues in a new run; 0 leaves it to the server."""
    continue_as_new_drain_seconds: float
    """How long such an execution waits for what is nearly done before it continues."""
    max_map_items: int
    """A map of more calls than this runs in parts of this size, each a workflow of its own."""
    max_dynamic_depth: int
    """How many dynamic tasks may be inside each other, a recursion's included."""
    pass_environment: tuple[str, ...]
    """Variables of the worker that tasks see, besides the few that every program needs."""
    metrics_address: str
    """host:port of /metrics, /healthz and /readyz; empty for none."""
    sdk_metrics_address: str
    """host:port of the Temporal SDK's own metrics; empty for none."""


@dataclass(frozen=True, slots=True)
class KubernetesSettings:
    """Where `flytemp worker` starts pods; section ``[kubernetes]``, variables ``FLYTEMP_KUBERNETES_…``."""

    kubeconfig: str | None
    """A kubeconfig file; None: as kubectl finds it, and the service account inside a cluster."""
    context: str | None
    """A context of it; None: the current one."""
    namespace: str | None
    """Of pods; {project} and {domain} may stand in it. None: the policy's, else the context's."""
    image: str | None
    """Of tasks that name none."""
    policy: Path | None
    """A TOML file with what the operator lays down for pods."""
    pods: int
    """Pods that one worker process looks after at once."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting with its effective value. ``origins`` says of each key where that comes from."""

    project: str
    domain: str
    store: str
    """The store's URI."""
    raw_data_prefix: str
    """The URI below which tasks' files are written."""
    task_queue: str
    address: str
    """Temporal's, host:port."""
    namespace: str
    """Temporal's."""
    profile: str | None
    """The profile of Temporal's configuration that was chosen; None for its default one."""
    config_file: Path | None
    """Temporal's configuration file; None where there is none."""
    ui_url: str | None
    """Temporal's web UI, without a trailing slash."""
    project_dir: Path
    """The folder of flytemp.toml, or of .flytemp, or the current one."""
    state_dir: Path
    """Where this machine keeps its files: caches, the embedded server's database."""
    worker: WorkerSettings
    kubernetes: KubernetesSettings
    dev: DevState | None = None
    """The `flytemp dev` that these settings point to. Then no profile's TLS or API key belongs to the connection."""
    origins: Mapping[str, str] = field(default_factory=dict)
    """By key, as in `describe`: "default", "environment FLYTEMP_STORE", "flytemp.toml (path)", "--store", …"""
    notes: tuple[str, ...] = ()
    """What a person may wonder about: a stale state file, a misspelt variable."""

    def describe(self) -> list[tuple[str, str, str]]:
        """Every key, its value as text, and its origin; those of a section are ``<section>.<key>``."""
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
