"""Tasks that are no functions: commands of any container image, with files for inputs and outputs."""

from __future__ import annotations

import difflib
import keyword
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from enum import Enum
from functools import cached_property
from typing import Any, NoReturn, TypedDict, Unpack

from flytemp.authoring.cache import Cache
from flytemp.authoring.definition_site import caller_site
from flytemp.authoring.docs import Documentation, docs_spec
from flytemp.authoring.docstrings import read_docstring
from flytemp.authoring.entity_registry import record
from flytemp.authoring.errors import SettingsError
from flytemp.authoring.image import ImageSpec
from flytemp.authoring.interface import PythonInterface, plain_interface
from flytemp.authoring.metadata import TaskMetadata, metadata_overrides
from flytemp.authoring.pod import PodTemplate
from flytemp.authoring.resources import Resources, Secret
from flytemp.authoring.retry import RetryStrategy, Timeout
from flytemp.authoring.settings import image as image_name
from flytemp.authoring.settings import task_settings
from flytemp.authoring.task import Task
from flytemp.errors import FlytempError, NotSupported, Problem, ProgramError
from flytemp.extras.accelerators import BaseAccelerator
from flytemp.literals.convert import literal_type
from flytemp.spec.containers import container_flaws
from flytemp.spec.models import ContainerSpec, TaskSpec


class ContainerOptions(TypedDict, total=False):
    """The options that a `ContainerTask` shares with `task`."""

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


_KNOWN = frozenset(ContainerOptions.__annotations__)


class ContainerTask(Task[..., Any]):
    """A command of a container image as a task; the image need not have Python or flytemp in it.

        area = ContainerTask(
            name="geometry.area",
            image="debian:12-slim",
            command=["/bin/sh", "-c", "echo $(( {{.inputs.width}} * $(cat /var/inputs/height) )) > /var/outputs/area"],
            inputs={"width": int, "height": int},
            outputs={"area": int},
        )

    Each input is a file in ``input_data_dir``, under its name: a `FlyteFile` or `FlyteDirectory` as it is, a text, number,
    bool, time or enum as text, bytes as they are, anything else as JSON; an input that is None has no file. The command
    leaves each output as a file in ``output_data_dir``, in the same form; the newline at the end of a text is not part of it.
    ``{{.inputs.name}}`` in ``command`` and ``arguments`` is the input's text. Files are named by their path there.

    It is called in a workflow like any task, with keywords; several outputs come back by their names. It runs where
    containers run: on Kubernetes.

    Args:
        name: what it is registered under.
        image: an image's name, or an `ImageSpec`.
        command: empty for the image's own.
        inputs: names and types, as `kwtypes` gives them.
        metadata: a `TaskMetadata`, for what is not given as an option.
        arguments: what follows the command.
        outputs: names and types.
        input_data_dir: an absolute path in the container.
        output_data_dir: an absolute path in the container, beside the other one.
        metadata_format: of the file ``inputs.json`` (or ``inputs.yaml``), which has all inputs.
        io_strategy: accepted where it says what happens anyway.
        local_logs: accepted for flytekit's sake.
        options: as of `task`: ``retries``, ``timeout``, ``resources``, ``environment``, ``secret_requests``,
            ``pod_template``, ``cache``, ….

    Raises:
        SettingsError: (a ``ValueError``) for an unknown or malformed option.
        NotSupported: for options of flytekit that this version does not have.
    """

    kind = "container"

    class MetadataFormat(Enum):
        """The form of the file that has all inputs. ``PROTO`` is not supported."""

        JSON = "json"
        YAML = "yaml"
        PROTO = "proto"

    class IOStrategy(Enum):
        """When data is moved. ``DOWNLOAD_EAGER`` and ``UPLOAD_ON_EXIT`` are what always happens; the others are not supported."""

        DOWNLOAD_EAGER = "download_eager"
        DOWNLOAD_STREAM = "download_stream"
        DO_NOT_DOWNLOAD = "do_not_download"
        UPLOAD_EAGER = "upload_eager"
        UPLOAD_ON_EXIT = "upload_on_exit"
        DO_NOT_UPLOAD = "do_not_upload"

    def __init__(
        self,
        name: str,
        image: str | ImageSpec,
        command: Sequence[str],
        inputs: Mapping[str, Any] | None = None,
        metadata: TaskMetadata | Mapping[str, Any] | None = None,
        arguments: Sequence[str] | None = None,
        outputs: Mapping[str, Any] | None = None,
        *,
        input_data_dir: str = "/var/inputs",
        output_data_dir: str = "/var/outputs",
        metadata_format: MetadataFormat = MetadataFormat.JSON,
        io_strategy: IOStrategy | None = None,
        local_logs: bool = True,
        **options: Unpack[ContainerOptions],
    ) -> None:
        self.place = self._created = caller_site()
        self.module = self.place.module
        self.name = _text(name, "name")
        self.__name__ = self.name.rpartition(".")[2]
        self.function = self._refuse
        self.settings = task_settings(_settled(dict(options), metadata))
        self._docstring = read_docstring(_undocumented)
        self.docs = docs_spec(options.get("docs"), self._docstring)
        self._inputs, self._outputs = _types(inputs, "inputs"), _types(outputs, "outputs")
        self.container = ContainerSpec(
            image=image_name(image) or "",
            command=_words(command, "command"),
            arguments=_words(arguments, "arguments"),
            input_data_dir=_text(input_data_dir, "input_data_dir"),
            output_data_dir=_text(output_data_dir, "output_data_dir"),
            metadata_format=_format(metadata_format),
            io_strategy=_strategy(io_strategy),
        )
        record(self)

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise NotSupported(
            f"task '{self.name}' is a command of the image {self.container.image}: it cannot run in this process",
            hint="it runs where containers run, on a worker of backend kubernetes; in a test, put a mock in its place: "
            "with flytemp.testing.task_mock(it) as mock: mock.return_value = …",
            location=caller_site().location,
        )

    @cached_property
    def _python_interface(self) -> PythonInterface:
        problems = [*self._problems_of("input", self._inputs), *self._problems_of("output", self._outputs)]
        if problems:
            raise ProgramError(problems)
        return plain_interface(f"task '{self.name}'", self._inputs, self._outputs)

    def _problems_of(self, noun: str, types: Mapping[str, Any]) -> Iterator[Problem]:
        where = self.place.location
        for name, annotation in types.items():
            # Inputs are given as keywords, and several outputs come back as a named tuple.
            if not name.isidentifier() or keyword.iskeyword(name) or (noun == "output" and name.startswith("_")):
                message = f"task '{self.name}': {name!r} cannot name an {noun}"
                yield Problem(message, where, "a name is letters, digits and '_', as of a variable in Python")
                continue
            try:
                literal_type(annotation)
            except FlytempError as error:
                yield Problem(f"task '{self.name}': {noun} '{name}': {error.message}", where, error.hint)

    @property
    def loader(self) -> str:
        """Empty: there is nothing to import."""
        return ""

    @property
    def is_loadable(self) -> bool:
        return True

    def problems(self) -> Sequence[Problem]:
        """What is wrong with its settings, its command and its folders."""
        where = self.place.location
        flaws = (Problem(f"task '{self.name}' {flaw}", where, hint) for flaw, hint in container_flaws(self.spec()))
        return [*super().problems(), *flaws]

    def spec(self) -> TaskSpec:
        """The task as it is registered; see `python_interface` for what it raises."""
        return super().spec().model_copy(update={"container": self.container})


def _undocumented() -> None: ...


def _settled(options: dict[str, Any], metadata: TaskMetadata | Mapping[str, Any] | None) -> dict[str, Any]:
    """The options, and what the metadata says besides.

    Raises:
        SettingsError: for an unknown option, and one that both give.
    """
    unknown = options.keys() - _KNOWN
    if unknown:
        near = difflib.get_close_matches(min(unknown), _KNOWN, 1)
        raise SettingsError(
            f"Unrecognized argument(s) for ContainerTask: {', '.join(sorted(unknown))}",
            hint=f"did you mean {near[0]}?" if near else "`help(flytemp.ContainerTask)` lists the options",
            location=caller_site().location,
        )
    given = metadata_overrides(metadata)
    twice = given.keys() & options.keys()
    if twice:
        raise SettingsError(
            f"metadata and the options of ContainerTask both give {', '.join(sorted(twice))}",
            hint="give each of them once",
            location=caller_site().location,
        )
    return {**options, **given}


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise SettingsError(f"{what} of a ContainerTask must be text, not {value!r}", location=caller_site().location)
    return value


def _words(value: object, what: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str) or not isinstance(value, Sequence) or not all(isinstance(word, str) for word in value):
        raise SettingsError(
            f"{what} of a ContainerTask must be a list of texts, not {value!r}",
            hint=f"{what}=['/bin/sh', '-c', '…']",
            location=caller_site().location,
        )
    return tuple(value)


def _types(value: object, what: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise SettingsError(
            f"{what} of a ContainerTask must be a dict of names and types, not {value!r}",
            hint=f"{what}=kwtypes(x=int)",
            location=caller_site().location,
        )
    return dict(value)


def _format(value: object) -> Any:
    if value is ContainerTask.MetadataFormat.PROTO:
        raise NotSupported(
            "metadata_format=PROTO is not supported: flytemp has no protobuf form of values",
            hint="use ContainerTask.MetadataFormat.JSON",
            location=caller_site().location,
        )
    try:
        return ContainerTask.MetadataFormat(value).value
    except ValueError as error:
        raise SettingsError(
            f"metadata_format of a ContainerTask must be one of ContainerTask.MetadataFormat, not {value!r}",
            location=caller_site().location,
        ) from error


def _strategy(value: object) -> Any:
    if value is None:
        return None
    if not isinstance(value, ContainerTask.IOStrategy):
        raise SettingsError(
            f"io_strategy of a ContainerTask must be one of ContainerTask.IOStrategy, not {value!r}",
            location=caller_site().location,
        )
    if value not in (value.DOWNLOAD_EAGER, value.UPLOAD_ON_EXIT):
        raise NotSupported(
            f"io_strategy={value.name} is not supported: inputs are there before the command starts, and outputs are read "
            "when it has ended",
            hint="leave io_strategy out",
            location=caller_site().location,
        )
    return value.value
