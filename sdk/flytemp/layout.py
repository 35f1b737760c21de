"""Layout of the store. This module alone builds keys, and it checks every part of a key.

::

    registry/<project>/<domain>/
        registrations/<inverted n>.json          registration n; its exclusive creation publishes its entities
        registrations/<inverted n>.indexed       an empty marker: the index of registration n is complete
        <tasks|workflows|launch-plans>/<name, percent-encoded>/
            versions/<version>.json              an immutable document with its digest
            latest/<inverted n>-<ms>-<version>   an empty, ordered key: the first one is the latest version
    bundles/<sha256>.tar.gz                      code, named by the sha256 of the tar inside
    executions/<namespace>/<execution key>/<first run id>/
        execution.json                           ids, options and inputs, as `resolve` chose them
        plan/00000.json                          pages of the plan, if it has several
        nodes/<node path>/<attempt>/result.json  outputs or the user's error; created exclusively
        nodes/<node path>/<attempt>/<try>/claim.json | error.json | logs/<000000>.txt
        nodes/<node path>/<attempt>/<try>/invocation.json   the invocation of a pod, if it is large
        nodes/<node path>/<attempt>/<try>/log-links.json    links to the output in other log systems
        nodes/<node path>/<attempt>/<try>/collected.json    outputs of a container task, before they are committed
        nodes/<node path>/<attempt>/<try>/dynamic.json   the graph that a dynamic task returned
        nodes/<node path>/<attempt>/chunks/<n>/items.json   a chunk of the lists that a map maps over
        nodes/<node path>/<attempt>/chunks/<n>/<attempt>/outputs.json | rows/<page>   its results
        nodes/<node path>/<attempt>/inputs.json  inputs of a child execution, if they are large
        state/<n>/<page>                         snapshots for continue-as-new; "closed" is that of a finished execution
        outputs.json                             the execution's outputs, if they are large
        record.json                              the record of the finished execution
    index/<namespace>/<project>/<domain>/<inverted ms>-<execution key>.json   finished executions, the newest first
    data/<namespace>/<execution key>/<first run id>/<node path>/<attempt>/<random>/…   raw data
    uploads/<content hash>/<name>                files and folders that a caller passed as inputs
    workers/<worker id>.json                     a worker's lease, renewed while the worker runs
    platform/<task queue>/limits.json            maximum resources of tasks on this task queue
"""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass

from flytemp.errors import InvalidName
from flytemp.names import (
    EntityId,
    EntityKind,
    attempt_of,
    check_domain,
    check_entity,
    check_project,
    check_version,
    execution_name,
    name_folder,
    slug,
)

OWN_FOLDERS = frozenset({"registry", "bundles", "executions", "index", "uploads", "workers", "platform"})
"""Folders at the top of the store that only flytemp writes. Tasks write raw data, by default to ``data``."""

_RUN_ID = re.compile(r"[A-Za-z0-9-]{1,100}")
_NODE_PATH = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*")
_INVERTED_BASE = 10**14  # enough for milliseconds until the year 5138


def is_run_id(text: str) -> bool:
    """Return whether ``text`` can be the id of a Temporal run."""
    return _RUN_ID.fullmatch(text) is not None


def entity_folder(kind: EntityKind, project: str, domain: str) -> str:
    return f"registry/{check_project(project)}/{check_domain(domain)}/{kind.folder}"


def document_key(entity: EntityId) -> str:
    """Return the key of a document; ``entity`` must have a version."""
    assert entity.version is not None
    folder = entity_folder(entity.kind, entity.project, entity.domain)
    return f"{folder}/{name_folder(check_entity(entity.name))}/versions/{entity.version}.json"


def latest_folder(entity: EntityId) -> str:
    return f"{entity_folder(entity.kind, entity.project, entity.domain)}/{name_folder(check_entity(entity.name))}/latest"


def latest_key(entity: EntityId, number: int, registered_ms: int) -> str:
    """Return the key that orders a publication of ``entity`` by the number of its registration.

    Args:
        registered_ms: milliseconds since the epoch, by the clock of the client that registered: for display only.
    """
    assert entity.version is not None
    return f"{latest_folder(entity)}/{inverted(number)}-{registered_ms:d}-{check_version(entity.version)}"


def registrations_folder(project: str, domain: str) -> str:
    return f"registry/{check_project(project)}/{check_domain(domain)}/registrations"


def registration_key(project: str, domain: str, number: int) -> str:
    """Return the key of the record of registration ``number``."""
    return f"{registrations_folder(project, domain)}/{inverted(number)}.json"


def indexed_key(project: str, domain: str, number: int) -> str:
    """Return the key of the marker that says that a registration's index is complete. It sorts before the record."""
    return f"{registrations_folder(project, domain)}/{inverted(number)}.indexed"


def inverted(number: int) -> str:
    """Return text that sorts larger numbers first, of milliseconds since the epoch the newest time."""
    return f"{_INVERTED_BASE - number:014d}"


def inverted_number(text: str) -> int:
    """Return the number that `inverted` made ``text`` of."""
    return _INVERTED_BASE - int(text)


def bundle_key(digest: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", digest):
        hint = "a bundle is named by the 64 hex digits of its sha256"
        raise InvalidName(f"{digest[:80]!r} is not a bundle's digest", hint=hint)
    return f"bundles/{digest}.tar.gz"


def index_folder(namespace: str, project: str, domain: str) -> str:
    return f"index/{_part(namespace)}/{check_project(project)}/{check_domain(domain)}"


def worker_key(worker_id: str) -> str:
    return f"workers/{_part(worker_id)}.json"


def platform_limits_key(task_queue: str) -> str:
    return f"platform/{_part(task_queue)}/limits.json"


def _part(text: str) -> str:
    """Return ``text`` as one path component: unchanged if it is harmless, else a slug with a hash."""
    if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,120}", text) and ".." not in text:
        return text
    return f"{slug(text, 60)}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


class _UnderRoot(ABC):
    """Keys under an execution's root."""

    __slots__ = ()

    @property
    @abstractmethod
    def root(self) -> str:
        """Folder of the execution."""

    @property
    def execution(self) -> str:
        return f"{self.root}/execution.json"

    @property
    def outputs(self) -> str:
        return f"{self.root}/outputs.json"

    @property
    def record(self) -> str:
        return f"{self.root}/record.json"

    def plan_page(self, page: int) -> str:
        return f"{self.root}/plan/{page:05d}.json"

    def state_page(self, generation: int, page: int) -> str:
        return f"{self.root}/state/{generation:05d}/{page:05d}.json"

    @property
    def closed_state(self) -> str:
        """Folder of the pages of the execution's last state."""
        return f"{self.root}/state/closed"

    def closed_state_page(self, page: int) -> str:
        return f"{self.closed_state}/{page:05d}.json"

    def attempt(self, node: str, attempt: str) -> str:
        if not _NODE_PATH.fullmatch(node):
            raise InvalidName(f"{node[:80]!r} is not a node's path")
        attempt_of(attempt)  # raises for text that is not an attempt's key
        return f"{self.root}/nodes/{node}/{attempt}"

    def result(self, node: str, attempt: str) -> str:
        return f"{self.attempt(node, attempt)}/result.json"

    def result_of_ref(self, ref: str) -> str:
        """Return the result's key for an ``outputs_ref``, ``<node path>/<attempt key>``."""
        node, _, attempt = ref.rpartition("/")
        return self.result(node, attempt)

    def dynamic(self, node: str, attempt: str, try_: int) -> str:
        return f"{self.try_folder(node, attempt, try_)}/dynamic.json"

    def child_inputs(self, node: str, attempt: str) -> str:
        return f"{self.attempt(node, attempt)}/inputs.json"

    def chunk_folder(self, name: str) -> str:
        """Return the folder of a chunk of a map.

        Args:
            name: ``<node path>/<attempt key>/<chunk>`` for the chunk's items; with ``/<attempt of the chunk>`` for its results.
        """
        node, attempt, *rest = name.split("/")
        if not 1 <= len(rest) <= 2:
            raise InvalidName(f"{name[:80]!r} is not a chunk of a map")
        return "/".join([f"{self.attempt(node, attempt)}/chunks", *(str(int(number)) for number in rest)])

    def chunk_items(self, name: str) -> str:
        return f"{self.chunk_folder(name)}/items.json"

    def chunk_outputs(self, name: str) -> str:
        return f"{self.chunk_folder(name)}/outputs.json"

    def chunk_rows(self, name: str, page: int) -> str:
        return f"{self.chunk_folder(name)}/rows/{page:05d}.json"

    def try_folder(self, node: str, attempt: str, try_: int) -> str:
        return f"{self.attempt(node, attempt)}/{try_:d}"

    def claim(self, node: str, attempt: str, try_: int) -> str:
        return f"{self.try_folder(node, attempt, try_)}/claim.json"

    def invocation(self, node: str, attempt: str, try_: int) -> str:
        return f"{self.try_folder(node, attempt, try_)}/invocation.json"

    def collected(self, node: str, attempt: str, try_: int) -> str:
        """Return the key of a container task's outputs before they are committed as the result."""
        return f"{self.try_folder(node, attempt, try_)}/collected.json"

    def try_error(self, node: str, attempt: str, try_: int) -> str:
        return f"{self.try_folder(node, attempt, try_)}/error.json"

    def log_links(self, node: str, attempt: str, try_: int) -> str:
        """Return the key of the links to the output in other log systems: addresses by name."""
        return f"{self.try_folder(node, attempt, try_)}/log-links.json"

    def log_folder(self, node: str, attempt: str, try_: int) -> str:
        return f"{self.try_folder(node, attempt, try_)}/logs"

    def log_chunk(self, node: str, attempt: str, try_: int, chunk: int) -> str:
        return f"{self.log_folder(node, attempt, try_)}/{chunk:06d}.txt"


@dataclass(frozen=True, slots=True)
class RootLayout(_UnderRoot):
    """Keys of an execution by its root alone, as in an invocation."""

    execution_root: str

    @property
    def root(self) -> str:
        return self.execution_root


@dataclass(frozen=True, slots=True)
class ExecutionLayout(_UnderRoot):
    """Keys of one execution, which Temporal namespace, workflow id and first run id identify."""

    namespace: str
    workflow_id: str
    first_run_id: str

    def __post_init__(self) -> None:
        if not is_run_id(self.first_run_id):
            raise InvalidName(f"{self.first_run_id[:80]!r} is not a run id")

    @property
    def key(self) -> str:
        """Execution key: readable, and unique per workflow id."""
        digest = hashlib.sha256(self.workflow_id.encode()).hexdigest()[:16]
        return f"{slug(execution_name(self.workflow_id), 40)}-{digest}"

    @property
    def root(self) -> str:
        return f"executions/{_part(self.namespace)}/{self.key}/{self.first_run_id}"

    def index_entry(self, project: str, domain: str, closed_ms: int) -> str:
        return f"{index_folder(self.namespace, project, domain)}/{inverted(closed_ms)}-{self.key}.json"

    def raw_data(self, node: str, attempt: str) -> str:
        """Return the folder of an attempt's raw data, relative to the raw-data prefix; each upload adds a random part."""
        return f"{_part(self.namespace)}/{self.key}/{self.first_run_id}/{node}/{attempt}"
