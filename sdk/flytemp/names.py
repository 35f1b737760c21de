"""Names and URNs, and their rules: they become parts of ids, keys and search attributes.

Forms (design: "Words")::

    tsk|wf|lp:<project>:<domain>:<name>:<version>      an entity
    ex:<project>:<domain>:<name>                       an execution; also its Temporal workflow id
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote, unquote

from flytemp.errors import InvalidName

DEFAULT_PROJECT = "default"
DEFAULT_DOMAIN = "development"
LOCAL_VERSION = "local"
"""Version of the entities of local runs and plain Python calls."""


class EntityKind(StrEnum):
    """Kind of a registered entity. The value is the prefix of its URN."""

    TASK = "tsk"
    WORKFLOW = "wf"
    LAUNCH_PLAN = "lp"

    @property
    def noun(self) -> str:
        """Name of the kind in messages."""
        return {"tsk": "task", "wf": "workflow", "lp": "launch plan"}[self.value]

    @property
    def folder(self) -> str:
        """Folder in the registry."""
        return {"tsk": "tasks", "wf": "workflows", "lp": "launch-plans"}[self.value]


# Flyte: project ids are DNS-1123 labels of at most 64 characters.
_PROJECT = re.compile(r"[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?")
# Names of launch plans, imperative workflows and container tasks are texts: without ':', which separates the parts of a URN.
_ENTITY = re.compile(r"\w([ -9;-\[\]-~\w]{0,253}[!-,/-9;-\[\]-~\w])?")
_LONGEST_FOLDER = 255
# Flyte refuses versions with any of [!*'();:@&=+$,/?#[]]; these are the other characters, without the space.
_VERSION = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.~-]{0,126}[A-Za-z0-9_])?")
_EXECUTION = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_POOL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_ATTEMPT_KEY = re.compile(r"[0-9]+(-[0-9a-f]{8})?")
_PLACEHOLDER = re.compile(r"\{\{\s*registration\.(project|domain|version)\s*\}\}")
_PLACEHOLDER_FORM = "{{{{ registration.{} }}}}"
_NODE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def _check(text: str, pattern: re.Pattern[str], what: str, rule: str) -> str:
    if not isinstance(text, str) or not pattern.fullmatch(text) or ".." in text:
        shown = repr(text if len(str(text)) <= 80 else f"{str(text)[:80]}…")
        raise InvalidName(f"{shown} cannot be {what}", hint=f"{what} is {rule}")
    return text


def check_project(text: str) -> str:
    """Return ``text`` if it can name a project.

    Raises:
        InvalidName: otherwise.
    """
    return _check(text, _PROJECT, "a project's name", "1 to 64 of a-z, 0-9 and '-', not '-' at an end")


def check_domain(text: str) -> str:
    """Return ``text`` if it can name a domain; see `check_project`."""
    return _check(text, _PROJECT, "a domain's name", "1 to 64 of a-z, 0-9 and '-', not '-' at an end")


def is_pool(text: str) -> bool:
    """Return True if ``text`` can name a pool of workers: a DNS label, so that it can be part of a label's value."""
    return _POOL.fullmatch(text) is not None


def check_entity(text: str) -> str:
    """Return ``text`` if it can name a task, workflow or launch plan; see `check_project`."""
    rule = "1 to 255 letters, digits, spaces and punctuation without ':', '\\' and '..'; it begins with a letter, digit or '_'"
    name = _check(text, _ENTITY, "an entity's name", rule)
    if len(name_folder(name)) > _LONGEST_FOLDER:
        raise InvalidName(f"the name {name[:80]!r}… is too long", hint="a space or special character counts as three characters")
    return name


def name_folder(name: str) -> str:
    """Return the folder of an entity's name in the registry: special characters are percent-encoded."""
    return quote(name, safe="")


def name_of_folder(folder: str) -> str | None:
    """Return the entity's name of a folder, the inverse of `name_folder`; None for a file or folder of another program."""
    try:
        name = check_entity(unquote(folder))
    except InvalidName:
        return None
    return name if name_folder(name) == folder else None


def check_version(text: str) -> str:
    """Return ``text`` if it can be a version; see `check_project`."""
    return _check(text, _VERSION, "a version", "1 to 128 letters, digits, '_', '-', '~' and single '.'")


def check_execution(text: str) -> str:
    """Return ``text`` if it can name an execution; see `check_project`."""
    return _check(
        text,
        _EXECUTION,
        "an execution's name",
        "1 to 63 letters, digits, '_', '-' and single '.', a letter or digit at both ends",
    )


def check_node(text: str) -> str:
    """Return ``text`` if it can be a node's id; see `check_project`."""
    return _check(text, _NODE, "a node's id", "1 to 63 of a-z, 0-9 and '-', not '-' at an end")


@dataclass(frozen=True, slots=True)
class EntityId:
    """Identity of a registered entity. Without a ``version``, it stands for the latest version."""

    kind: EntityKind
    project: str
    domain: str
    name: str
    version: str | None = None

    def __post_init__(self) -> None:
        check_project(self.project)
        check_domain(self.domain)
        check_entity(self.name)
        if self.version is not None:
            check_version(self.version)

    def __str__(self) -> str:
        urn = f"{self.kind}:{self.project}:{self.domain}:{self.name}"
        return urn if self.version is None else f"{urn}:{self.version}"

    @classmethod
    def parse(cls, urn: str) -> EntityId:
        """Return the identity in a URN, ``tsk|wf|lp:<project>:<domain>:<name>[:<version>]``.

        Raises:
            InvalidName: if ``urn`` is not a URN.
        """
        return cls(*_urn_parts(urn))


@dataclass(frozen=True, slots=True)
class EntityPointer:
    """Id of a registered entity in a program. Parts may be placeholders for those of the registration of the program.

    Attributes:
        kind: the kind of the entity.
        project: the project, or ``{{ registration.project }}``.
        domain: the domain, or ``{{ registration.domain }}``.
        name: the name.
        version: the version, ``{{ registration.version }}``, or None for the latest version.
    """

    kind: EntityKind
    project: str
    domain: str
    name: str
    version: str | None = None

    def __post_init__(self) -> None:
        for part in ("project", "domain", "version"):  # one form of each placeholder, because a URN is a key
            value = getattr(self, part)
            if value is not None and _placeholder_of(value) == part:
                object.__setattr__(self, part, _PLACEHOLDER_FORM.format(part))
        self.resolved("x", "x", None)

    def __str__(self) -> str:
        urn = f"{self.kind}:{self.project}:{self.domain}:{self.name}"
        return urn if self.version is None else f"{urn}:{self.version}"

    @property
    def has_same_version(self) -> bool:
        """True if the version is that of the registration."""
        return self.version is not None and is_same_version(self.version)

    def resolved(self, project: str, domain: str, version: str | None) -> EntityId:
        """Return the id for a registration. Without a ``version``, its placeholder stands for the latest version.

        Raises:
            InvalidName: a part is not valid.
        """
        own_project, own_domain = _placeholder_of(self.project) == "project", _placeholder_of(self.domain) == "domain"
        return EntityId(
            self.kind,
            project if own_project else self.project,
            domain if own_domain else self.domain,
            self.name,
            version if self.has_same_version else self.version,
        )

    @classmethod
    def parse(cls, urn: str) -> EntityPointer:
        """Return the pointer in a URN; see `EntityId.parse`."""
        return cls(*_urn_parts(urn))


def is_same_version(version: str) -> bool:
    """Return True for the placeholder of the registration's version."""
    return _placeholder_of(version) == "version"


def _placeholder_of(text: object) -> str | None:
    """Return the part of a registration that a placeholder stands for, or None for another text."""
    match = _PLACEHOLDER.fullmatch(text) if isinstance(text, str) else None
    return match[1] if match else None


def _urn_parts(urn: str) -> tuple[EntityKind, str, str, str, str | None]:
    parts = urn.split(":")
    if len(parts) not in (4, 5) or parts[0] not in {kind.value for kind in EntityKind}:
        raise InvalidName(f"{urn[:200]!r} is not a URN", hint="a URN is tsk|wf|lp:<project>:<domain>:<name>[:<version>]")
    return EntityKind(parts[0]), parts[1], parts[2], parts[3], parts[4] if len(parts) == 5 else None


def short_name(target: str) -> str:
    """Return the last part of an entity's name; ``target`` is the name, or a URN."""
    return entry_name(target).rpartition(".")[2]


def entry_name(key: str) -> str:
    """Return the name of the entity that a document has under ``key``: the key itself, or the name in a URN."""
    parts = key.split(":")
    return parts[3] if len(parts) in (4, 5) else key


def is_urn(text: str) -> bool:
    """Return True if ``text`` begins like an entity's URN."""
    return text.split(":", 1)[0] in {kind.value for kind in EntityKind} and ":" in text


def workflow_id(project: str, domain: str, execution: str) -> str:
    """Return the Temporal workflow id of an execution that flytemp starts."""
    return f"ex:{check_project(project)}:{check_domain(domain)}:{check_execution(execution)}"


def attempt_key(attempt: int, epoch: str = "") -> str:
    """Return the text that identifies an attempt of a node in keys: ``2``, or ``2-9f3a2c01`` after a reset.

    Args:
        attempt: the attempt's number, from 1.
        epoch: empty until `temporal workflow reset`; then 8 hex digits, different after each reset. Without it, an attempt that
            runs again after a reset would find the outcome of the attempt before the reset.
    """
    return f"{attempt:d}-{epoch}" if epoch else f"{attempt:d}"


def attempt_of(key: str) -> int:
    """Return the number of the attempt in an attempt's key.

    Raises:
        InvalidName: if ``key`` is not an attempt's key.
    """
    if not _ATTEMPT_KEY.fullmatch(key):
        raise InvalidName(f"{key[:80]!r} is not an attempt's key")
    return int(key.partition("-")[0])


def activity_id(node: str, attempt: int, try_: int, epoch: str = "") -> str:
    """Return the id of the activity of a try: ``n3.n0@2.1`` consists of node path, attempt and try.

    The attempt is given by its key, so a try after a reset has another activity than the try of the same number before it.
    """
    return f"{node}@{attempt_key(attempt, epoch)}.{try_}"


def node_of(activity: str) -> str:
    """Return the node path in an activity's id."""
    return activity.partition("@")[0]


def slug(text: str, length: int) -> str:
    """Return ``text`` reduced to [a-z0-9-] and at most ``length`` characters; "x" if nothing remains."""
    reduced = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return reduced[:length].strip("-") or "x"


def execution_name(temporal_workflow_id: str) -> str:
    """Return the execution's name for any Temporal workflow id. The name depends on the id alone.

    The name of an id of flytemp (``ex:<project>:<domain>:<name>``) is its last part. The name of any other id, such as a
    schedule's or a foreign parent's, is ``<slug>-<8 hex digits of the SHA-256>``, so that two ids do not share a name.
    """
    parts = temporal_workflow_id.split(":")
    if len(parts) == 4 and parts[0] == "ex" and _EXECUTION.fullmatch(parts[3]) and ".." not in parts[3]:
        return parts[3]
    digest = hashlib.sha256(temporal_workflow_id.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{slug(temporal_workflow_id, 50)}-{digest}"
