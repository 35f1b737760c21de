"""Tasks that are made by a call and not from a Python function, such as a container's command or a shell script."""

from __future__ import annotations

import keyword
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import Any, TypedDict

from flytemp.authoring.cache import Cache, unused_cache_options
from flytemp.authoring.definition_site import caller_site
from flytemp.authoring.docstrings import read_docstring
from flytemp.authoring.documentation import Documentation, docs_spec
from flytemp.authoring.entity_registry import add_entity, are_checks_deferred
from flytemp.authoring.errors import SettingsError, SignatureError
from flytemp.authoring.interface import PythonInterface, plain_interface
from flytemp.authoring.overrides import TaskMetadata, metadata_overrides
from flytemp.authoring.pod import PodTemplate
from flytemp.authoring.resources import Resources, Secret
from flytemp.authoring.retry import RetryStrategy, Timeout
from flytemp.authoring.settings import task_settings
from flytemp.authoring.signature import contains_bare_tuple
from flytemp.authoring.task import Task
from flytemp.errors import FlytempError, NotSupported, Problem, ProgramError
from flytemp.extras.accelerators import BaseAccelerator
from flytemp.literals.convert import literal_type
from flytemp.suggest import suggest


class InstanceOptions(TypedDict, total=False):
    """Options that a task made by a call shares with `task`."""

    cache: bool | Cache
    cache_serialize: bool
    cache_version: str
    cache_ignore_input_vars: tuple[str, ...]
    retries: int | RetryStrategy
    interruptible: bool | None
    deprecated: str
    timeout: float | int | timedelta | Timeout | None
    environment: Mapping[str, str] | None
    requests: Resources | None
    limits: Resources | None
    resources: Resources | None
    secret_requests: Sequence[Secret] | None
    docs: Documentation | None
    pod_template: PodTemplate | None
    pod_template_name: str | None
    accelerator: BaseAccelerator | None
    shared_memory: bool | str | None
    pool: str | None
    labels: Mapping[str, str] | None
    annotations: Mapping[str, str] | None


_KNOWN = frozenset(InstanceOptions.__annotations__)


class InstanceTask(Task[..., Any]):
    """Base class of tasks that are made by a call, with inputs and outputs as names and types.

    A subclass for a task type of its own sets ``kind``, overrides ``spec``, and overrides ``execute`` if the task can run in this
    process; see `flytemp.task_types`.

    Args:
        name: name of the registered task.
        inputs: names and types, as `kwtypes` returns them.
        outputs: names and types.
        options: options of `task`, such as ``retries``, ``timeout``, ``resources`` and ``environment``.
        metadata: a `TaskMetadata`, for what is not given as an option.

    Raises:
        SettingsError: (a ``ValueError``) for an unknown or malformed option.
        SignatureError: for a tuple without the types of its items.
        NotSupported: for options of flytekit that this version does not have.
    """

    def __init__(
        self,
        name: str,
        inputs: Mapping[str, Any] | None,
        outputs: Mapping[str, Any] | None,
        options: Mapping[str, Any],
        metadata: TaskMetadata | Mapping[str, Any] | None = None,
    ) -> None:
        self.site = self._created = caller_site()
        self.module = self.site.module
        self.name = self._text(name, "name")
        self.__name__ = self.name.rpartition(".")[2]
        self.function = self.execute
        settled = self._settled(dict(options), metadata)
        self.settings = task_settings(settled)
        self.unused_options = unused_cache_options(settled)
        self._docstring = read_docstring(_undocumented)
        self.docs = docs_spec(options.get("docs"), self._docstring)
        self._inputs, self._outputs = self._types(inputs, "inputs"), self._types(outputs, "outputs")
        self._check_for_bare_tuples()
        add_entity(self)

    def execute(self, **inputs: Any) -> Any:
        """Run the task in this process, as a plain Python call does; return its outputs.

        Raises:
            NotSupported: unless a subclass overrides this method.
        """
        raise NotSupported(
            f"task '{self.name}' cannot run in this process: it is a task of the kind {self.kind!r}",
            hint="run it on a worker; in a test, use flytemp.testing.task_mock",
            location=caller_site().location,
        )

    @cached_property
    def _python_interface(self) -> PythonInterface:
        problems = [*self._problems_of("input", self._inputs), *self._problems_of("output", self._outputs)]
        if problems:
            raise ProgramError(problems)
        return plain_interface(f"task '{self.name}'", self._inputs, self._outputs)

    def _check_for_bare_tuples(self) -> None:
        """Check types like a decorator does; see `flytemp.authoring.signature.check_signature`."""
        problems: list[Problem] = []
        for direction, types in (("input", self._inputs), ("output", self._outputs)):
            bare = {name: annotation for name, annotation in types.items() if contains_bare_tuple(annotation)}
            problems += self._problems_of(direction, bare)
        if problems and not are_checks_deferred():
            raise SignatureError(problems)

    def _problems_of(self, direction: str, types: Mapping[str, Any]) -> Iterator[Problem]:
        where = self.site.location
        for name, annotation in types.items():
            # Inputs are keyword arguments, and several outputs are returned as a named tuple.
            if not name.isidentifier() or keyword.iskeyword(name) or (direction == "output" and name.startswith("_")):
                message = f"task '{self.name}': {name!r} cannot name an {direction}"
                yield Problem(message, where, "a name is letters, digits and '_', as of a variable in Python")
                continue
            try:
                literal_type(annotation)
            except FlytempError as error:
                yield Problem(f"task '{self.name}': {direction} '{name}': {error.message}", where, error.hint)

    @property
    def loader(self) -> str:
        """Empty: the runtime imports no code of the user."""
        return ""

    @property
    def is_loadable(self) -> bool:
        return True

    def _settled(self, options: dict[str, Any], metadata: TaskMetadata | Mapping[str, Any] | None) -> dict[str, Any]:
        """Return the options with those of the metadata.

        Raises:
            SettingsError: an option is unknown or given twice.
        """
        unknown = options.keys() - _KNOWN
        if unknown:
            hint = suggest(min(unknown), _KNOWN, f"`help({type(self).__name__})` lists the options")
            raise self._malformed(f"unknown options: {', '.join(sorted(unknown))}", hint)
        given = metadata_overrides(metadata)
        twice = given.keys() & options.keys()
        if twice:
            raise self._malformed(f"metadata and the options both give {', '.join(sorted(twice))}", "give each of them once")
        return {**options, **given}

    def _text(self, value: object, what: str) -> str:
        if not isinstance(value, str):
            raise self._malformed(f"{what} must be text, not {value!r}")
        return value

    def _types(self, value: object, what: str) -> dict[str, Any]:
        if value is None:
            return {}
        if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
            raise self._malformed(f"{what} must be a dict of names and types, not {value!r}", f"{what}=kwtypes(x=int)")
        return dict(value)

    def _malformed(self, problem: str, hint: str | None = None) -> SettingsError:
        return SettingsError(f"{type(self).__name__}: {problem}", hint=hint, location=caller_site().location)


def _undocumented() -> None: ...
