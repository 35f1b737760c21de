"""Tasks that are a shell script, which runs in flytemp's runtime."""

from __future__ import annotations

import os
import signal
import string
import subprocess
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import TYPE_CHECKING

from pydantic import ValidationError

from flytemp.error_text import titled
from flytemp.errors import InputError, Problem
from flytemp.literals.transfer import current_transfer, download_path_for, new_random_path
from flytemp.literals.types import BlobType, Json, SchemaModel
from flytemp.literals.visitor import nested_types
from flytemp.spec.canonical import content
from flytemp.spec.containers import nested_file_problems
from flytemp.spec.tasks import Interface, TaskSpec, Variable
from flytemp.store import raw
from flytemp.task_types.base import LiteralCall, TaskType

if TYPE_CHECKING:
    from flytemp.authoring.context import ExecutionParameters
    from flytemp.runtime.task_run import TaskRun

NAMESPACES = ("inputs", "outputs", "ctx")
"""Names that a template may begin with: ``{inputs.x}``, ``{outputs.y}``, ``{ctx.execution_id}``."""

_BRACES = "write a brace of the script twice: {{ and }}"
_CONTEXT = (
    "the context has execution_id, execution_date, task_id, working_directory, raw_output_prefix and output_metadata_prefix"
)


class ShellConfig(SchemaModel):
    """`TaskSpec.config` of a shell task.

    ``script`` and the locations of ``outputs`` are templates in the form of `str.format`: ``{inputs.x}`` is the text of an
    input, or the path of a file or directory; ``{outputs.y}`` is the location of an output; ``{ctx.…}`` is an attribute of the
    execution's context. A brace of the script itself is written twice.
    """

    script: str
    shell: str = "/bin/sh"
    outputs: dict[str, str] = {}  # output -> path of its file or directory, inside the working directory of the script
    debug: bool = False  # print the script before it runs


class ScriptFailed(Exception):
    """Error raised when the script ends with an exit code other than 0, or by a signal."""


class ShellTaskType(TaskType):
    """Type of a script. Nothing of the user's Python code is imported to run it."""

    kind = "shell"

    def problems(self, task: TaskSpec) -> Iterator[Problem]:
        try:
            config = ShellConfig.model_validate(task.config)
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:5])
            hint = "config: {script: …, outputs: {name: path}}"
            yield Problem(f"has a config that is not that of a shell task: {wrong}", hint=hint)
            return
        if task.loader:
            yield Problem(f"is a shell script and has the loader {task.loader!r}", hint="leave the loader out")
        names = {variable.name for variable in task.interface.outputs}
        for name in sorted(names ^ config.outputs.keys()):
            what = "no location of" if name in names else "the location of"
            hint = "give each output one OutputLocation"
            yield Problem(f"has {what} the output {name!r}{'' if name in names else ', which it does not have'}", hint=hint)
        yield from _type_problems(task.interface)
        inputs = {variable.name for variable in task.interface.inputs}
        yield from _template_problems("script", config.script, {"inputs": inputs, "outputs": names})
        for name, location in config.outputs.items():
            where = f"location of {name!r}"
            yield from _template_problems(where, location, {"inputs": inputs})
            if _leaves(location):
                hint = "give a path inside the working directory of the script"
                yield Problem(f"has the {where} {location!r}, which is outside the working directory", hint=hint)

    def normalised(self, task: TaskSpec) -> TaskSpec:
        try:
            config = ShellConfig.model_validate(task.config)
        except ValidationError:
            return task  # `problems` reports it
        return task.model_copy(update={"config": content(config)})

    def prepare(self, run: TaskRun) -> LiteralCall:
        config = ShellConfig.model_validate(run.spec.config)

        def call(literals: Mapping[str, Json]) -> dict[str, Json]:
            with run.user_code(), run.conversions():
                return run_script(config, run.spec.interface, literals)

        return call


def run_script(config: ShellConfig, interface: Interface, literals: Mapping[str, Json]) -> dict[str, Json]:
    """Run a script in a fresh directory, with the standard output and error of this process; return its outputs.

    Output files are uploaded by the transfer of the running task. Without a transfer, their local paths become their URIs.

    Args:
        config: the script and the locations of its outputs.
        interface: inputs and outputs.
        literals: literals of the inputs.

    Raises:
        ScriptFailed: the script failed.
        NotFound: an output is missing.
        InputError: an output does not fit its type, or is outside the directory.
        StoreError: a file cannot be transferred.
    """
    from flytemp.authoring.context import current_context
    from flytemp.runtime.container_io import read_output

    inputs = SimpleNamespace(**{variable.name: _input_text(variable, literals) for variable in interface.inputs})
    context = current_context()
    locations = {name: template.format(inputs=inputs, ctx=context) for name, template in config.outputs.items()}
    for name, location in locations.items():
        if _leaves(location):
            raise _outside(name, location)
    script = config.script.format(inputs=inputs, outputs=SimpleNamespace(**locations), ctx=context)
    if config.debug:
        print(script, flush=True)
    folder = _run(config.shell, script)
    paths = {name: _inside(folder, name, location) for name, location in locations.items()}
    return {variable.name: read_output(variable, paths[variable.name], current_transfer()) for variable in interface.outputs}


def _run(shell: str, script: str) -> Path:
    """Run a script in a fresh directory; return the directory."""
    file = Path(new_random_path("script")).absolute()
    folder = file.with_name("work")
    folder.mkdir()
    file.write_text(script, encoding="utf-8")  # an argument of a program has a limit of 128 KiB
    done = subprocess.run([shell, str(file)], cwd=folder, stdin=subprocess.DEVNULL, check=False)
    if done.returncode < 0:
        raise ScriptFailed(f"the script was ended by {signal.strsignal(-done.returncode)} (signal {-done.returncode})")
    if done.returncode:
        raise ScriptFailed(f"the script ended with exit code {done.returncode}")
    return folder


def _leaves(location: str) -> bool:
    """Return True for a path that is absolute or has a part ``..``."""
    path = PurePosixPath(location)
    return path.is_absolute() or ".." in path.parts


def _inside(folder: Path, output: str, location: str) -> Path:
    """Return the path of an output. The script may have created links: they must not lead out of its directory either."""
    path = folder / location
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder)):
        raise _outside(output, location)
    return path


def _outside(output: str, location: str) -> InputError:
    return InputError(
        f"the location {location!r} of the output {output!r} is outside the working directory of the script",
        hint="write the output to a file in the working directory",
    )


def _input_text(variable: Variable, literals: Mapping[str, Json]) -> str:
    """Return the text of an input; for a file or directory, its path on this machine."""
    from flytemp.runtime.container_io import literal_text, plain_literal

    type_, literal = plain_literal(variable, literals)
    if literal is None:
        return ""
    if not isinstance(type_, BlobType):
        return literal_text(type_, literal)
    uri = str(literal["uri"])
    if not raw.is_remote(uri):
        return os.path.abspath(uri)
    local = download_path_for(uri)
    (raw.download_file if type_.kind == "file" else raw.download_directory)(uri, local)
    return local


def _type_problems(interface: Interface) -> Iterator[Problem]:
    for variable in interface.inputs:
        yield from nested_file_problems("input", variable)
        if any(type_.kind == "bytes" for type_ in nested_types(variable.type)):
            hint = "declare it as FlyteFile"
            yield Problem(f"has the input {variable.name!r} of bytes, which is not text", hint=hint)
    for variable in interface.outputs:
        yield from nested_file_problems("output", variable)


def _template_problems(where: str, template: str, known: Mapping[str, set[str]]) -> Iterator[Problem]:
    """Yield the problems of a template. ``known`` has the names in each namespace except the context."""
    try:
        fields = [field for _, field, _, _ in string.Formatter().parse(template) if field is not None]
    except ValueError as error:
        yield Problem(f"has a {where} that is not a template: {error}", hint=_BRACES)
        return
    problems = [problem for field in fields for problem in _field_problems(where, field, known)]
    yield from problems
    if not problems:
        samples = {namespace: SimpleNamespace(**dict.fromkeys(names, "")) for namespace, names in known.items()}
        try:
            template.format(**samples, ctx=_sample_context())
        except Exception as error:  # noqa: BLE001 - a format of a value may raise any exception
            text = f"has a {where} that is not a template: {titled(error)}"
            yield Problem(text, hint="write fields without a format, such as {inputs.x}")


def _field_problems(where: str, field: str, known: Mapping[str, set[str]]) -> Iterator[Problem]:
    namespace, _, name = field.partition(".")
    first = name.partition("[")[0].partition(".")[0]
    if namespace not in NAMESPACES or not name:
        yield Problem(f"has {{{field}}} in its {where}; templates begin with inputs, outputs or ctx", hint=_BRACES)
    elif namespace == "ctx":
        if not _is_context_text(field):
            yield Problem(f"has {{{field}}} in its {where}, and the context has no such text", hint=_CONTEXT)
    elif namespace not in known:
        yield Problem(f"has {{{field}}} in its {where}, which is known before the outputs", hint="use inputs or ctx there")
    elif first not in known[namespace]:
        names = ", ".join(sorted(known[namespace])) or "none"
        yield Problem(f"has {{{field}}} in its {where}, and no such {namespace[:-1]}", hint=f"its {namespace}: {names}")
    elif name != first:
        hint = f"{{{namespace}.{first}}} is the whole text; take parts of it in the script"
        yield Problem(f"has {{{field}}} in its {where}, and a text has no attributes or items", hint=hint)


def _is_context_text(field: str) -> bool:
    from flytemp.authoring.context import ExecutionId, TaskId

    try:
        value, _ = string.Formatter().get_field(field, (), {"ctx": _sample_context()})
    except Exception:  # noqa: BLE001 - an attribute that is not supported raises an error of flytemp
        return False
    return isinstance(value, str | int | datetime | ExecutionId | TaskId)


def _sample_context() -> ExecutionParameters:
    """Return a context in which every attribute has a value."""
    from flytemp.authoring.context import ExecutionParameters, TaskId

    task = TaskId("project", "domain", "name", "version")
    return ExecutionParameters(task_id=task, directory="/directory", raw_data="/data", metadata_prefix="/metadata")
