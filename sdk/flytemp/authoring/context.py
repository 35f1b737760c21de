"""What a task can learn about its execution, and what a workflow's function can see of the graph it makes."""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from flytemp.authoring.compilation import Compilation, current_compilation
from flytemp.errors import NotSupported

ENV_PREFIX = "FLYTEMP_SECRETS_ENV_PREFIX"
DEFAULT_DIR = "FLYTEMP_SECRETS_DEFAULT_DIR"


@dataclass(frozen=True)
class ExecutionId:
    """Identity of an execution."""

    project: str
    domain: str
    name: str

    def __str__(self) -> str:
        return f"ex:{self.project}:{self.domain}:{self.name}"


@dataclass(frozen=True)
class TaskId:
    """Identity of a task."""

    project: str
    domain: str
    name: str
    version: str

    def __str__(self) -> str:
        return f"tsk:{self.project}:{self.domain}:{self.name}:{self.version}"


class SecretsManager:
    """Reads secrets where the platform puts them: environment variables first, then files.

    The variable is ``_FSEC_<GROUP>_<VERSION>_<KEY>`` in upper case, the file ``/etc/secrets/<group>/<version>/<key>``,
    both without the parts that are not given. ``FLYTEMP_SECRETS_ENV_PREFIX`` and ``FLYTEMP_SECRETS_DEFAULT_DIR``
    replace the beginnings.
    """

    def get(
        self,
        group: str | None = None,
        key: str | None = None,
        group_version: str | None = None,
        encode_mode: str = "r",
    ) -> Any:
        """The secret's text, or its bytes with ``encode_mode="rb"``.

        Raises:
            ValueError: when there is no such secret.
        """
        name = self.get_secrets_env_var(group, key, group_version)
        if name in os.environ:
            value = os.environ[name]
            return value.encode() if "b" in encode_mode else value
        path = Path(self.get_secrets_file(group, key, group_version))
        if path.is_file():
            return path.read_bytes() if "b" in encode_mode else path.read_text().strip()
        raise ValueError(
            f"Unable to find secret for key {key} in group {group}: there is neither the variable {name} nor the file {path}"
        )

    def get_secrets_env_var(self, group: str | None = None, key: str | None = None, group_version: str | None = None) -> str:
        """The environment variable that would hold the secret."""
        parts = [part.upper() for part in (group, group_version, key) if part]
        return os.environ.get(ENV_PREFIX, "_FSEC_") + "_".join(parts)

    def get_secrets_file(self, group: str | None = None, key: str | None = None, group_version: str | None = None) -> str:
        """The file that would hold the secret."""
        parts = [part for part in (group, group_version, key) if part]
        return str(Path(os.environ.get(DEFAULT_DIR, "/etc/secrets"), *parts))


class _Unsupported:
    """Something of flytekit's context that this version does not have: using it in any way says so."""

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
    """What `current_context` returns. Without a running execution it describes this process: ``local``."""

    execution_id: ExecutionId = field(default_factory=lambda: ExecutionId("local", "local", "local"))
    execution_date: datetime = field(default_factory=lambda: datetime.now(UTC))
    task_id: TaskId | None = None
    directory: str | None = None
    raw_data: str | None = None
    metadata_prefix: str | None = None

    @property
    def working_directory(self) -> str:
        """A directory of this task's own. Plain Python calls share one, which is removed when the process ends."""
        return self.directory or _process_directory()

    @property
    def raw_output_prefix(self) -> str:
        """Where the task's files go: a URI of the store, or a local directory."""
        return self.raw_data or str(Path(self.working_directory, "raw"))

    @property
    def output_metadata_prefix(self) -> str:
        """Where the task's inputs and outputs lie."""
        return self.metadata_prefix or str(Path(self.working_directory, "metadata"))

    @property
    def logging(self) -> logging.Logger:
        """A logger for the task's own messages."""
        return logging.getLogger("flytemp.user")

    @property
    def secrets(self) -> SecretsManager:
        return SecretsManager()

    @property
    def checkpoint(self) -> Any:
        return _Unsupported("checkpoint", "write intermediate results to files of your own, under raw_output_prefix")

    @property
    def decks(self) -> Any:
        return _Unsupported("decks", "write the report to a file and return it as a FlyteFile")

    @property
    def stats(self) -> Any:
        return _Unsupported("stats", "send measurements with your own metrics client, or log them")


@cache
def _process_directory() -> str:
    directory = tempfile.mkdtemp(prefix="flytemp-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return directory


_parameters: ContextVar[ExecutionParameters | None] = ContextVar("flytemp_context", default=None)


def current_context() -> ExecutionParameters:
    """The execution that the calling task belongs to; outside of one, a local context."""
    return _parameters.get() or ExecutionParameters()


@contextmanager
def use_context(parameters: ExecutionParameters) -> Iterator[ExecutionParameters]:
    """Make `current_context` return ``parameters`` inside the ``with`` block, in this thread or asyncio task."""
    token = _parameters.set(parameters)
    try:
        yield parameters
    finally:
        _parameters.reset(token)


@dataclass(frozen=True)
class FlyteContext:
    """What flytekit's context has and workflow decorators use: the graph so far, in ``compilation_state.nodes``."""

    compilation_state: Compilation | None
    user_space_params: ExecutionParameters


class FlyteContextManager:
    """flytekit's way to the context."""

    @staticmethod
    def current_context() -> FlyteContext:
        return FlyteContext(current_compilation(), current_context())
