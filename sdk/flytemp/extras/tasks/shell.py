"""Shell tasks: scripts as tasks, with flytekit's names."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from flytemp.authoring.instance_task import InstanceOptions, InstanceTask
from flytemp.authoring.overrides import TaskMetadata
from flytemp.extras.tasks.processes import ProcessResult as ProcessResult
from flytemp.extras.tasks.processes import subproc_execute as subproc_execute
from flytemp.porting.finder import other_names
from flytemp.spec.canonical import content
from flytemp.spec.models import TaskSpec
from flytemp.task_types.shell import ShellConfig, run_script


@dataclass(frozen=True)
class OutputLocation:
    """Location of one output of a `ShellTask`.

    Attributes:
        var: name of the output.
        var_type: type of the output. A `FlyteFile` or `FlyteDirectory` is the file or directory at the location. A value of
            another type is read from the file there.
        location: path inside the working directory of the script; may contain ``{inputs.x}``.
    """

    var: str
    var_type: Any
    location: str | os.PathLike[str]


class ShellTask(InstanceTask):
    """A shell script as a task.

        count = ShellTask(
            name="count_lines",
            script="wc -l < {inputs.file} > {outputs.lines}",
            inputs=kwtypes(file=FlyteFile),
            output_locs=[OutputLocation(var="lines", var_type=int, location="lines.txt")],
        )

    The script and the locations are templates in the form of `str.format`. ``{inputs.x}`` is the text of an input, or the path
    of a file or directory; ``{outputs.y}`` is the location of an output; ``{ctx.…}`` is an attribute of `current_context()`. A
    brace of the script itself is written twice. Inputs are inserted as they are: quote them where the shell requires it.

    The task fails if the script ends with an exit code other than 0, and its ``retries`` apply. The output of the script is the
    log of the task. The script runs wherever tasks run, in the image of the task or, on the process backend, on the worker's
    machine. Each call has a fresh, empty working directory, also in a plain Python call.

    Args:
        name: name of the registered task.
        debug: print the script before it runs.
        script: the script. Give either ``script`` or ``script_file``.
        script_file: path of a file with the script, read when the task is defined.
        shell: program that runs the script; its argument is the path of a file with the script.
        inputs: names and types, as `kwtypes` returns them.
        output_locs: one `OutputLocation` per output.
        metadata: a `TaskMetadata`, for what is not given as an option.
        options: options of `task`, such as ``retries``, ``timeout``, ``environment`` and ``container_image``.

    Raises:
        SettingsError: (a ``ValueError``) for an unknown or malformed option.
    """

    kind = "shell"

    def __init__(
        self,
        name: str,
        debug: bool = False,
        script: str | None = None,
        script_file: str | os.PathLike[str] | None = None,
        shell: str = "/bin/sh",
        inputs: Mapping[str, Any] | None = None,
        output_locs: Sequence[OutputLocation] | None = None,
        metadata: TaskMetadata | Mapping[str, Any] | None = None,
        **options: Unpack[InstanceOptions],
    ) -> None:
        locations = tuple(output_locs or ())
        super().__init__(name, inputs, {each.var: each.var_type for each in locations}, options, metadata)
        if (script is None) == (script_file is None):
            raise self._malformed("give either script or script_file")
        if script_file is not None:
            try:
                script = Path(script_file).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise self._malformed(f"script_file cannot be read: {error}") from error
        self.config = ShellConfig(
            script=self._text(script, "script"),
            shell=self._text(shell, "shell"),
            outputs={each.var: os.fspath(each.location) for each in locations},
            debug=debug,
        )

    @property
    def script(self) -> str:
        """Template of the script."""
        return self.config.script

    def execute(self, **inputs: Any) -> Any:
        """Run the script in this process; return its outputs.

        Raises:
            ScriptFailed: the script failed.
            NotFound: an output is missing.
            InputError: an output does not fit its type, or is outside the working directory of the script.
        """
        interface = self.python_interface
        return interface.output_values(run_script(self.config, self.interface, interface.input_literals(inputs)))

    def spec(self) -> TaskSpec:
        """Return the task as it is registered; raises as `python_interface` does."""
        return super().spec().model_copy(update={"config": content(self.config)})

if not TYPE_CHECKING:
    __getattr__ = other_names(__name__)
