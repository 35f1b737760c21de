"""Tasks that are a command of a container image, with files for their inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, NoReturn, Unpack

from flytemp.authoring.definition_site import caller_site
from flytemp.authoring.image import ImageSpec
from flytemp.authoring.instance_task import InstanceOptions, InstanceTask
from flytemp.authoring.overrides import TaskMetadata
from flytemp.authoring.settings import image as image_name
from flytemp.errors import NotSupported
from flytemp.spec.models import ContainerSpec, TaskSpec


class ContainerTask(InstanceTask):
    """A command of a container image as a task. The image needs neither Python nor flytemp.

        area = ContainerTask(
            name="geometry.area",
            image="debian:12-slim",
            command=["/bin/sh", "-c", "echo $(( {{.inputs.width}} * $(cat /var/inputs/height) )) > /var/outputs/area"],
            inputs={"width": int, "height": int},
            outputs={"area": int},
        )

    Each input is a file in ``input_data_dir`` with the input's name: a `FlyteFile` or `FlyteDirectory` as it is, a text,
    number, bool, time or enum as text, bytes as they are, any other value as JSON. An input that is None has no file. The
    command writes each output to a file in ``output_data_dir`` in the same form; the newline at the end of a text is not part
    of it. ``{{.inputs.name}}`` in ``command`` and ``arguments`` is the text of the input. Use the path for a file.

    A workflow calls the task with keywords. Several outputs are returned by their names. The task runs on Kubernetes only.

    Args:
        name: name of the registered task.
        image: name of an image, or an `ImageSpec`.
        command: the command; empty for that of the image.
        inputs: names and types, as `kwtypes` returns them.
        metadata: a `TaskMetadata`, for what is not given as an option.
        arguments: arguments of the command.
        outputs: names and types.
        input_data_dir: absolute path in the container.
        output_data_dir: absolute path in the container, outside of ``input_data_dir``.
        metadata_format: format of the file ``inputs.json`` (or ``inputs.yaml``), which has all inputs.
        io_strategy: accepted if it is one of the two strategies that always apply.
        local_logs: accepted for compatibility with flytekit.
        options: options of `task`, such as ``retries``, ``timeout``, ``resources``, ``environment``, ``secret_requests``,
            ``pod_template`` and ``cache``.

    Raises:
        SettingsError: (a ``ValueError``) for an unknown or malformed option.
        NotSupported: for options of flytekit that this version does not have.
    """

    kind = "container"

    class MetadataFormat(Enum):
        """Format of the file with all inputs. ``PROTO`` is not supported."""

        JSON = "json"
        YAML = "yaml"
        PROTO = "proto"

    class IOStrategy(Enum):
        """Time of data transfers. ``DOWNLOAD_EAGER`` and ``UPLOAD_ON_EXIT`` always apply; the others are not supported."""

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
        **options: Unpack[InstanceOptions],
    ) -> None:
        super().__init__(name, inputs, outputs, options, metadata)
        self.container = ContainerSpec(
            image=image_name(image) or "",
            command=self._words(command, "command"),
            arguments=self._words(arguments, "arguments"),
            input_data_dir=self._text(input_data_dir, "input_data_dir"),
            output_data_dir=self._text(output_data_dir, "output_data_dir"),
            metadata_format=self._format(metadata_format),
            io_strategy=self._strategy(io_strategy),
        )

    def execute(self, **inputs: Any) -> NoReturn:
        """Raise `NotSupported`: a container's command does not run in a Python process."""
        raise NotSupported(
            f"task '{self.name}' is a command of the image {self.container.image}: it cannot run in this process",
            hint="it runs on a worker of backend kubernetes; in a test, use a mock: "
            "with flytemp.testing.task_mock(it) as mock: mock.return_value = …",
            location=caller_site().location,
        )

    def spec(self) -> TaskSpec:
        """Return the task as it is registered; raises as `python_interface` does."""
        return super().spec().model_copy(update={"container": self.container})

    def _words(self, value: object, what: str) -> tuple[str, ...]:
        if value is None:
            return ()
        if isinstance(value, str) or not isinstance(value, Sequence) or not all(isinstance(word, str) for word in value):
            raise self._malformed(f"{what} must be a list of texts, not {value!r}", f"{what}=['/bin/sh', '-c', '…']")
        if any("\0" in word for word in value):
            raise self._malformed(f"{what} must not contain a NUL character", f"remove the character from {what}")
        return tuple(value)

    def _format(self, value: object) -> Any:
        if value is self.MetadataFormat.PROTO:
            raise NotSupported(
                "metadata_format=PROTO is not supported: flytemp has no protobuf form of values",
                hint="use ContainerTask.MetadataFormat.JSON",
                location=caller_site().location,
            )
        try:
            return self.MetadataFormat(value).value
        except ValueError as error:
            text = f"metadata_format must be one of ContainerTask.MetadataFormat, not {value!r}"
            raise self._malformed(text) from error

    def _strategy(self, value: object) -> Any:
        if value is None:
            return None
        if not isinstance(value, self.IOStrategy):
            raise self._malformed(f"io_strategy must be one of ContainerTask.IOStrategy, not {value!r}")
        if value not in (value.DOWNLOAD_EAGER, value.UPLOAD_ON_EXIT):
            raise NotSupported(
                f"io_strategy={value.name} is not supported: inputs are complete before the command starts, and outputs are read "
                "when it has ended",
                hint="leave io_strategy out",
                location=caller_site().location,
            )
        return value.value
