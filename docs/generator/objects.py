"""Reference of the SDK, from signatures and docstrings of public objects."""

from __future__ import annotations

import dataclasses
import enum
import importlib
import inspect
import re
from collections.abc import Iterator
from typing import Any

from generator.markdown import docstring, table

# Modules of the reference with their descriptions, in the order of the page.
MODULES = {
    "flytemp": "What a program imports: `from flytemp import task, workflow, …`. Loaded lazily, name by name.",
    "flytemp.types.file": "Files that tasks exchange.",
    "flytemp.types.directory": "Directories that tasks exchange.",
    "flytemp.extend": "Conversions of your own types; see [Custom types](../how-to/custom-types.md).",
    "flytemp.extras.accelerators": "Accelerators for `@task(accelerator=…)`.",
    "flytemp.exceptions.user": "",
    "flytemp.exceptions.system": "",
    "flytemp.client": "",
    "flytemp_worker.plugin": "For a Temporal worker that a team already runs.",
}
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def render() -> str:
    """Return all public names of these modules; a name in two modules is described in the first one."""
    lines: list[str] = []
    seen: set[int] = set()
    for name, purpose in MODULES.items():
        module = importlib.import_module(name)
        lines += [f"## `{name}`", "", purpose or (inspect.getdoc(module) or "").splitlines()[0], ""]
        entries = list(_public(module))
        constants = [(label, value) for label, value in entries if not _is_described(value)]
        for label, value in entries:
            if _is_described(value) and id(value) not in seen:
                seen.add(id(value))
                lines += _entry(label, value)
        if constants:
            lines += [*table(["Name", "What it is"], [(f"`{label}`", _constant(value)) for label, value in constants]), ""]
    return "\n".join(lines)


def _public(module: Any) -> Iterator[tuple[str, Any]]:
    """Return the sorted public names: ``__all__``, or the names that the module defines."""
    names = getattr(module, "__all__", None)
    for name in sorted(names if names is not None else vars(module)):
        if name.startswith("_"):
            continue
        value = getattr(module, name)
        if names is None and getattr(value, "__module__", "") != module.__name__:
            continue
        if not inspect.ismodule(value):
            yield name, value


def _is_described(value: Any) -> bool:
    return inspect.isclass(value) or inspect.isfunction(value)


def _constant(value: Any) -> str:
    text = f"`{type(value).__name__}`"
    device = getattr(value, "device", None)
    return f"`{device}`" if isinstance(device, str) else text


def _entry(label: str, value: Any) -> list[str]:
    if not inspect.isclass(value):
        return [f"### `{label}`", "", *_signature(label, value), "", *docstring(value.__doc__), ""]
    lines = [f"### `{label}`", "", *_bases(value), *_signature(label, value), "", *docstring(_own_doc(value)), ""]
    if issubclass(value, enum.Enum):
        return [*lines, *table(["Member", "Value"], [(f"`{one.name}`", f"`{one.value}`") for one in value]), ""]
    for name, member in _members(value):
        lines += _member(label, name, member)
    return lines


def _bases(value: type) -> list[str]:
    known = [base.__name__ for base in value.__bases__ if base.__module__.startswith("flytemp") or issubclass(base, Exception)]
    shown = [name for name in known if not name.startswith("_")]
    return [f"A kind of {', '.join(f'`{name}`' for name in shown)}.", ""] if shown else []


def _own_doc(value: type) -> str | None:
    """Return the docstring of a class; empty for the generated docstring of a dataclass."""
    doc = value.__doc__
    return None if doc and dataclasses.is_dataclass(value) and doc.startswith(f"{value.__name__}(") else doc


def _members(value: type) -> Iterator[tuple[str, Any]]:
    """Return the documented public methods and properties of a class in source order."""
    for name, raw in vars(value).items():
        if name.startswith("_"):
            continue
        member = raw.__func__ if isinstance(raw, classmethod | staticmethod) else raw
        member = member.fget if isinstance(member, property) else member
        if inspect.isfunction(member) and member.__doc__ and member.__module__.startswith("flytemp"):
            yield name, raw


def _member(owner: str, name: str, raw: Any) -> list[str]:
    if isinstance(raw, property):
        return [f"#### `{owner}.{name}`", "", *docstring(raw.fget.__doc__ if raw.fget else ""), ""]
    function = raw.__func__ if isinstance(raw, classmethod | staticmethod) else raw
    bound = not isinstance(raw, staticmethod)
    return [f"#### `{owner}.{name}`", "", *_signature(name, function, skip_first=bound), "", *docstring(function.__doc__), ""]


def _signature(name: str, value: Any, *, skip_first: bool = False) -> list[str]:
    if inspect.isclass(value) and issubclass(value, enum.Enum):  # nobody calls one, and Python versions differ in how
        return []
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):  # some classes have no signature
        return []
    parameters = list(signature.parameters.values())[1 if skip_first else 0 :]
    prefix = "async " if inspect.iscoroutinefunction(value) else ""
    result = signature.return_annotation
    shown = "" if inspect.isclass(value) or result is inspect.Signature.empty else f" -> {_annotation(result)}"
    inner = [_parameter(parameter) for parameter in _with_marks(parameters)]
    text = f"{prefix}{name}({', '.join(inner)}){shown}"
    if len(text) > 100:
        text = f"{prefix}{name}(\n" + "".join(f"    {part},\n" for part in inner) + f"){shown}"
    return ["```python", _ADDRESS.sub("", text), "```"]


def _with_marks(parameters: list[inspect.Parameter]) -> Iterator[inspect.Parameter | str]:
    """Return the parameters including the separators ``/`` and ``*``."""
    kinds = [parameter.kind for parameter in parameters]
    for index, parameter in enumerate(parameters):
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and (
            index == 0 or kinds[index - 1] not in (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_POSITIONAL)
        ):
            yield "*"
        yield parameter
        if parameter.kind is inspect.Parameter.POSITIONAL_ONLY and kinds[index + 1 : index + 2] != [parameter.kind]:
            yield "/"


def _parameter(parameter: inspect.Parameter | str) -> str:
    if isinstance(parameter, str):
        return parameter
    # With the stars of *args and **kwargs.
    text = str(parameter.replace(annotation=inspect.Parameter.empty, default=inspect.Parameter.empty))
    if parameter.annotation is not inspect.Parameter.empty:
        text += f": {_annotation(parameter.annotation)}"
    if parameter.default is not inspect.Parameter.empty:
        text += f"{' = ' if ':' in text else '='}{_default(parameter.default)}"
    return text


def _annotation(annotation: Any) -> str:
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    return text.replace("typing.", "")  # some Python versions add this prefix


def _default(value: Any) -> str:
    if isinstance(value, enum.Enum):
        return f"{type(value).__name__}.{value.name}"
    return "…" if _ADDRESS.search(repr(value)) else repr(value)
