"""Tasks that are a container's command: what their templates may name, and what can be wrong with them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from flytemp.literals.types import BlobType, EncodedType, LiteralType, UnionType
from flytemp.literals.visitor import nested_types
from flytemp.spec.tasks import ContainerSpec, Interface, TaskSpec, Variable

INPUT_TEMPLATE = re.compile(r"\{\{\s*[.$]inputs\.([^}\s]+)\s*\}\}", re.IGNORECASE)
"""``{{.inputs.name}}`` in a command or an argument; its group is the name."""

# What else Flyte fills in. Other text in braces is the command's own affair.
_FLYTE_TEMPLATE = re.compile(
    r"\{\{\s*[.$](input|inputFile|inputPrefix|outputPrefix|rawOutputDataPrefix|checkpointOutputPrefix|prevCheckpointPrefix"
    r"|perRetryUniqueKey|taskTemplatePath)\s*\}\}",
    re.IGNORECASE,
)


def inputs_file(container: ContainerSpec) -> str:
    """The file in ``input_data_dir`` that has all inputs."""
    return f"inputs.{container.metadata_format}"


def container_flaws(task: TaskSpec) -> Iterator[tuple[str, str | None]]:
    """Yield the flaws of a task of kind ``container``, each with a hint."""
    container = task.container
    if container is None:
        yield "is a container's command and lacks its field 'container'", "container: {image: …, command: […]}"
        return
    if task.loader:
        yield f"is a container's command and has the loader {task.loader!r}", "leave the loader out: nothing is imported"
    if not container.image.strip():
        yield "has no image", "give the image's name, such as registry/name:tag"
    yield from _folder_flaws(container)
    for noun, variables in (("input", task.interface.inputs), ("output", task.interface.outputs)):
        for variable in variables:
            yield from _variable_flaws(noun, variable, container)
    yield from _template_flaws(container, task.interface)


def file_kind(type_: LiteralType) -> str | None:
    """``"file"`` or ``"directory"`` for the type of one, also where it may be missing; None for any other type."""
    if isinstance(type_, UnionType):
        kinds = {file_kind(variant) for variant in type_.variants if variant.kind != "none"}
        return kinds.pop() if len(kinds) == 1 else None
    return type_.kind if isinstance(type_, BlobType) else None


def _folder_flaws(container: ContainerSpec) -> Iterator[tuple[str, str | None]]:
    folders = {"input_data_dir": container.input_data_dir, "output_data_dir": container.output_data_dir}
    wrong = False
    for name, folder in folders.items():
        if not folder.startswith("/") or folder == "/" or posixpath.normpath(folder) != folder or folder.startswith("//"):
            wrong = True
            yield f"has {name} {folder!r}, which is no folder of a container", "give an absolute path, such as /var/inputs"
    inputs, outputs = (f"{folder}/" for folder in folders.values())
    if not wrong and (inputs.startswith(outputs) or outputs.startswith(inputs)):
        yield "has its input_data_dir and its output_data_dir in one another", "give two folders beside each other"


def _variable_flaws(noun: str, variable: Variable, container: ContainerSpec) -> Iterator[tuple[str, str | None]]:
    name = variable.name
    if "/" in name or name in ("", ".", "..", inputs_file(container)):
        yield f"has the {noun} {name!r}, which cannot name its file", "rename it"
    if file_kind(variable.type) is None and any(isinstance(each, BlobType | EncodedType) for each in nested_types(variable.type)):
        hint = "declare each as a variable of its own, or pass a FlyteDirectory"
        yield f"has the {noun} {name!r} with files inside another value", hint


def _template_flaws(container: ContainerSpec, interface: Interface) -> Iterator[tuple[str, str | None]]:
    types = {variable.name: variable.type for variable in interface.inputs}
    for text in (*container.command, *container.arguments):
        for match in INPUT_TEMPLATE.finditer(text):
            name = match[1]
            if name not in types:
                known = ", ".join(types) or "none"
                yield f"names the input {name!r} in its command, which it does not have", f"its inputs: {known}"
            elif file_kind(types[name]) is not None or types[name].kind == "bytes":
                what = file_kind(types[name]) or "bytes"
                hint = f"name its path: {container.input_data_dir}/{name}"
                yield f"puts the input {name!r} into its command, which is {_with_article(what)}", hint
        for match in _FLYTE_TEMPLATE.finditer(text):
            hint = f"inputs are files in {container.input_data_dir}, and outputs are to be files in {container.output_data_dir}"
            yield f"has {match[0]} in its command, which is not filled in", hint


def _with_article(what: str) -> str:
    return what if what == "bytes" else f"a {what}"
