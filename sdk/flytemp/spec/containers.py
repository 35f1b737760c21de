"""Tasks that run a container's command: their templates and their checks."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from flytemp.errors import Problem
from flytemp.literals.types import BlobType, EncodedType, LiteralType, UnionType
from flytemp.literals.visitor import nested_types
from flytemp.spec.tasks import ContainerSpec, Interface, TaskSpec, Variable

INPUT_TEMPLATE = re.compile(r"\{\{\s*[.$]inputs\.([^}\s]+)\s*\}\}", re.IGNORECASE)
"""``{{.inputs.name}}`` in a command or an argument; its group is the name."""

# Other templates that Flyte replaces. Any other text in braces belongs to the command.
_FLYTE_TEMPLATE = re.compile(
    r"\{\{\s*[.$](input|inputFile|inputPrefix|outputPrefix|rawOutputDataPrefix|checkpointOutputPrefix|prevCheckpointPrefix"
    r"|perRetryUniqueKey|taskTemplatePath)\s*\}\}",
    re.IGNORECASE,
)


def inputs_file(container: ContainerSpec) -> str:
    """Return the name of the file in ``input_data_dir`` that has all inputs."""
    return f"inputs.{container.metadata_format}"


def container_problems(task: TaskSpec) -> Iterator[Problem]:
    """Yield the problems of a task of kind ``container``, each with a hint."""
    container = task.container
    if container is None:
        yield Problem("is a container's command and lacks its field 'container'", hint="container: {image: …, command: […]}")
        return
    if task.loader:
        hint = "leave the loader out: nothing is imported"
        yield Problem(f"is a container's command and has the loader {task.loader!r}", hint=hint)
    if not container.image.strip():
        yield Problem("has no image", hint="give the image's name, such as registry/name:tag")
    yield from _folder_problems(container)
    for noun, variables in (("input", task.interface.inputs), ("output", task.interface.outputs)):
        for variable in variables:
            yield from _variable_problems(noun, variable, container)
    yield from _template_problems(container, task.interface)


def file_kind(type_: LiteralType) -> str | None:
    """Return ``"file"`` or ``"directory"`` for such a type and for its union with None; None for any other type."""
    if isinstance(type_, UnionType):
        kinds = {file_kind(variant) for variant in type_.variants if variant.kind != "none"}
        return kinds.pop() if len(kinds) == 1 else None
    return type_.kind if isinstance(type_, BlobType) else None


def nested_file_problems(noun: str, variable: Variable) -> Iterator[Problem]:
    """Yield a problem if the variable has files or directories inside another value, such as a list."""
    if file_kind(variable.type) is None and any(isinstance(each, BlobType | EncodedType) for each in nested_types(variable.type)):
        hint = "declare each as a variable of its own, or pass a FlyteDirectory"
        yield Problem(f"has the {noun} {variable.name!r} with files inside another value", hint=hint)


def _folder_problems(container: ContainerSpec) -> Iterator[Problem]:
    folders = {"input_data_dir": container.input_data_dir, "output_data_dir": container.output_data_dir}
    wrong = False
    for name, folder in folders.items():
        if not folder.startswith("/") or folder == "/" or posixpath.normpath(folder) != folder or folder.startswith("//"):
            wrong = True
            hint = "give an absolute path, such as /var/inputs"
            yield Problem(f"has {name} {folder!r}, which is not a folder of a container", hint=hint)
    inputs, outputs = (f"{folder}/" for folder in folders.values())
    if not wrong and (inputs.startswith(outputs) or outputs.startswith(inputs)):
        yield Problem("has one of input_data_dir and output_data_dir inside the other", hint="give two separate folders")


def _variable_problems(noun: str, variable: Variable, container: ContainerSpec) -> Iterator[Problem]:
    name = variable.name
    if "/" in name or name in ("", ".", "..", inputs_file(container)):
        yield Problem(f"has the {noun} {name!r}, which cannot be the name of its file", hint="rename it")
    yield from nested_file_problems(noun, variable)


def _template_problems(container: ContainerSpec, interface: Interface) -> Iterator[Problem]:
    types = {variable.name: variable.type for variable in interface.inputs}
    for text in (*container.command, *container.arguments):
        for match in INPUT_TEMPLATE.finditer(text):
            name = match[1]
            if name not in types:
                known = ", ".join(types) or "none"
                yield Problem(f"names the input {name!r} in its command, which it does not have", hint=f"its inputs: {known}")
            elif file_kind(types[name]) is not None or types[name].kind == "bytes":
                what = file_kind(types[name]) or "bytes"
                hint = f"name its path: {container.input_data_dir}/{name}"
                yield Problem(f"puts the input {name!r} into its command, which is {_with_article(what)}", hint=hint)
        for match in _FLYTE_TEMPLATE.finditer(text):
            hint = f"inputs are files in {container.input_data_dir}, and outputs must be files in {container.output_data_dir}"
            yield Problem(f"has {match[0]} in its command, which is not replaced", hint=hint)


def _with_article(what: str) -> str:
    return what if what == "bytes" else f"a {what}"
