"""Context of a running task, and of a workflow's function that is compiled."""

from __future__ import annotations

import logging
import os
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from flytemp.authoring.compilation import Compilation, current_compilation
from flytemp.context_value import ContextValue
from flytemp.errors import NotSupported
from flytemp.literals import transfer
from flytemp.names import LOCAL_VERSION

ENV_PREFIX = "FLYTEMP_SECRETS_ENV_PREFIX"
DEFAULT_DIR = "FLYTEMP_SECRETS_DEFAULT_DIR"


@dataclass(frozen=True)
class ExecutionId:
    """Id of an execution."""

    project: str
    domain: str
    name: str

    def __str__(self) -> str:
        return f"ex:{self.project}:{self.domain}:{self.name}"


@dataclass(frozen=True)
class TaskId:
    """Id of a task."""

    project: str
    domain: str
    name: str
    version: str

    def __str__(self) -> str:
        return f"tsk:{self.project}:{self.domain}:{self.name}:{self.version}"


class SecretsManager:
    """Secrets of a task, read from environment variables, then from files.

    The variable is ``_FSEC_<GROUP>_<VERSION>_<KEY>`` in upper case. The file is ``/etc/secrets/<group>/<version>/<key>``, or the
    same path in lower case. Parts that are not given are omitted. ``FLYTEMP_SECRETS_ENV_PREFIX`` and
    ``FLYTEMP_SECRETS_DEFAULT_DIR`` replace the prefix and the folder. ``secrets.group.key`` is short for
    ``secrets.get("group", "key")``.

    Args:
        accepts_plain_names: also read a variable without the prefix, as flytekit does in local runs.
    """

    def __init__(self, *, accepts_plain_names: bool = False) -> None:
        self._accepts_plain_names = accepts_plain_names

    def __getattr__(self, group: str) -> _SecretGroup:
        if group.startswith("__"):
            raise AttributeError(group)
        return _SecretGroup(self, group)

    def get(
        self,
        group: str | None = None,
        key: str | None = None,
        group_version: str | None = None,
        encode_mode: str = "r",
    ) -> Any:
        """Return a secret.

        Args:
            group: the group of the secret.
            key: the key of the secret in its group.
            group_version: the version of the group.
            encode_mode: "r" for a text, "rb" for bytes.

        Raises:
            ValueError: there is no such secret.
        """
        name = self.get_secrets_env_var(group, key, group_version)
        plain = _variable(group, key, group_version)
        value = os.environ.get(name, os.environ.get(plain) if self._accepts_plain_names else None)
        if value is not None:
            return value.encode() if "b" in encode_mode else value
        path = self.get_secrets_file(group, key, group_version)
        in_lower_case = self.get_secrets_file(*(part and part.lower() for part in (group, key, group_version)))
        for file in map(Path, (path, in_lower_case)):  # flytekit reads the second one
            if file.is_file():
                return file.read_bytes() if "b" in encode_mode else file.read_text().strip()
        raise ValueError(
            f"Unable to find secret for key {key} in group {group}: there is neither the variable {name} nor the file {path}"
        )

    def get_secrets_env_var(self, group: str | None = None, key: str | None = None, group_version: str | None = None) -> str:
        """Return the name of the environment variable for a secret."""
        return os.environ.get(ENV_PREFIX, "_FSEC_") + _variable(group, key, group_version)

    def get_secrets_file(self, group: str | None = None, key: str | None = None, group_version: str | None = None) -> str:
        """Return the path of the file for a secret."""
        parts = [part for part in (group, group_version, key) if part]
        return str(Path(os.environ.get(DEFAULT_DIR, "/etc/secrets"), *parts))


def _variable(group: str | None, key: str | None, group_version: str | None) -> str:
    return "_".join(part.upper() for part in (group, group_version, key) if part)


class _SecretGroup:
    """Group of secrets, whose keys are attributes."""

    def __init__(self, secrets: SecretsManager, group: str) -> None:
        self._secrets, self._group = secrets, group

    def __getattr__(self, key: str) -> Any:
        if key.startswith("__"):
            raise AttributeError(key)
        return self._secrets.get(self._group, key)


class _Unsupported:
    """Attribute of flytekit's context that is not supported. Every use raises NotSupported."""

    def __init__(self, what: str, instead: str) -> None:
        object.__setattr__(self, "_words", (what, instead))

    def _refuse(self) -> NoReturn:
        what, instead = object.__getattribute__(self, "_words")
        raise NotSupported(f"current_context().{what} is not supported", hint=instead)

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        self._refuse()

    def __bool__(self) -> NoReturn:  # noqa: PLE0304 - it always raises
        self._refuse()

    def __iter__(self) -> NoReturn:
        self._refuse()

    def __call__(self, *args: object, **kwargs: object) -> NoReturn:
        self._refuse()


@dataclass(frozen=True)
class ExecutionParameters:
    """Context of a task. Outside of an execution the ids are ``local``.

    Attributes:
        execution_id: the id of the execution.
        execution_date: the start time of the execution.
        task_id: the id of the task.
        directory: the working directory; None for that of a plain Python call.
        raw_data: the URI for the task's files; None for a local directory.
        metadata_prefix: the URI of the task's inputs and outputs; None for a local directory.
    """

    execution_id: ExecutionId = field(default_factory=lambda: ExecutionId("local", "local", "local"))
    execution_date: datetime = field(default_factory=lambda: datetime.now(UTC))
    task_id: TaskId | None = None
    directory: str | None = None
    raw_data: str | None = None
    metadata_prefix: str | None = None

    @property
    def working_directory(self) -> str:
        """The working directory of the task. In plain Python calls it is a temporary directory, which is not removed."""
        return self.directory or str(transfer.working_directory())

    @property
    def raw_output_prefix(self) -> str:
        """The URI or local directory for the task's files."""
        return self.raw_data or str(Path(self.working_directory, "raw"))

    @property
    def output_metadata_prefix(self) -> str:
        """The URI or local directory of the task's inputs and outputs."""
        return self.metadata_prefix or str(Path(self.working_directory, "metadata"))

    @property
    def logging(self) -> logging.Logger:
        """The logger for messages of the task."""
        return logging.getLogger("flytemp.user")

    @property
    def secrets(self) -> SecretsManager:
        """The secrets of the task."""
        return SecretsManager(accepts_plain_names=self.task_id is None or self.task_id.version == LOCAL_VERSION)

    @property
    def checkpoint(self) -> Any:
        """Not supported."""
        return _Unsupported("checkpoint", "write intermediate results to files under raw_output_prefix")

    @property
    def decks(self) -> Any:
        """Not supported."""
        return _Unsupported("decks", "write the report to a file and return it as a FlyteFile")

    @property
    def stats(self) -> Any:
        """Not supported."""
        return _Unsupported("stats", "send measurements with your own metrics client, or log them")


_parameters: ContextVar[ExecutionParameters | None] = ContextVar("flytemp_context", default=None)


def current_context() -> ExecutionParameters:
    """Return the context of the calling task, or a local context outside of an execution."""
    return _parameters.get() or ExecutionParameters()


def use_context(parameters: ExecutionParameters) -> ContextValue[ExecutionParameters | None]:
    """Return the context in which `current_context` returns ``parameters``, in this thread or asyncio task."""
    return ContextValue(_parameters, parameters)


@dataclass(frozen=True)
class FlyteContext:
    """Part of flytekit's context that decorators of workflows use: ``compilation_state.nodes`` is the graph so far."""

    compilation_state: Compilation | None
    user_space_params: ExecutionParameters


class FlyteContextManager:
    """Access to the context, as in flytekit."""

    @staticmethod
    def current_context() -> FlyteContext:
        """Return the present context."""
        return FlyteContext(current_compilation(), current_context())
