"""Inputs from the command line.

An interface becomes flags; flags and ``--inputs`` documents become literals. All errors here are usage errors.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flytemp.errors import FlytempError, TypeMismatch
from flytemp.json_text import read_json
from flytemp.suggest import nearest
from flytemp_cli.error_report import InputUsageError
from flytemp_cli.formatting import json_text, type_details, variable_text

if TYPE_CHECKING:
    import yaml

    from flytemp.literals.transfer import FileTransfer
    from flytemp.literals.types import Json, LiteralType
    from flytemp.spec.models import Interface, Variable

_NOT_GIVEN = (None, ())
_VALUES_PER_CHARACTER, _FEW_VALUES = 10, 10_000


class InputOption(click.Option):
    """Option for one input. ``negates``: this is the ``--no-…`` form of a boolean input."""

    def __init__(self, flags: list[str], name: str, variable: Variable, *, negates: bool = False, optional_value: bool) -> None:
        # flag_value with is_flag=False makes the option's value optional.
        more: dict[str, Any] = {"is_flag": True} if negates else {"type": str}
        if optional_value:
            more |= {"is_flag": False, "flag_value": "true"}
        super().__init__([*flags, name], expose_value=False, callback=_store_text, default=None, **more)
        self.variable = variable
        self.negates = negates
        self.flags = flags

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        if self.negates:
            return None
        from flytemp.literals.describe import describe_type

        return f"{self.flags[0]} {describe_type(self.variable.type)}", describe_input(self.variable)


def _store_text(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    assert isinstance(param, InputOption)
    if value in _NOT_GIVEN or value is False:
        return
    texts = given_texts(ctx)
    text = "false" if param.negates else str(value)
    if texts.setdefault(param.variable.name, text) != text:
        raise InputUsageError(f"{param.flags[0]} contradicts the other flag of {param.variable.name}", ctx=ctx)


def given_texts(ctx: click.Context) -> dict[str, str]:
    """Return the texts of the input flags on this command line by input name."""
    texts = ctx.meta.setdefault("flytemp_cli.inputs", {})
    assert isinstance(texts, dict)
    return texts


def describe_input(variable: Variable) -> str:
    """Return the help text of an input: description, fields, and default or 'required'."""
    detail = type_details(variable.type)
    parts = [variable.description.strip(), f"({detail})" if detail else ""]
    parts.append("[required]" if variable.required else f"[default: {json_text(variable.default)}]")
    return "  ".join(part for part in parts if part)


def input_options(interface: Interface, taken: Collection[str]) -> list[InputOption]:
    """Return the options of the inputs: ``--my-input`` and ``--my_input`` (unless ``taken``) and ``--input.my_input``."""
    names = {f"--{variable.name}" for variable in interface.inputs}
    names |= {flag.replace("_", "-") for flag in names}
    options = []
    for index, variable in enumerate(interface.inputs):
        dashed = variable.name.replace("_", "-")
        flags = [f"--{dashed}", f"--{variable.name}", f"--input.{variable.name}", f"--input.{dashed}"]
        own = [flag for flag in dict.fromkeys(flags) if flag not in taken]
        boolean = _is_boolean(variable.type)
        options.append(InputOption(own, f"input_{index}", variable, optional_value=boolean))
        negated = [f"--no-{dashed}", f"--no_{variable.name}"]
        if boolean and not names.union(taken).intersection(negated):
            options.append(InputOption(negated, f"no_input_{index}", variable, negates=True, optional_value=False))
    return options


def _is_boolean(type_: LiteralType) -> bool:
    if type_.kind == "union":
        return all(variant.kind in ("boolean", "none") for variant in type_.variants)
    return type_.kind == "boolean"


def collect_literals(interface: Interface, texts: Mapping[str, str], document: Mapping[str, Json]) -> dict[str, Json]:
    """Return the literals of all given inputs. Flags (``texts``) take precedence over the ``document`` of ``--inputs``.

    Raises:
        InputUsageError: an unknown or missing input, or a value that does not match the input's type.
    """
    variables = {variable.name: variable for variable in interface.inputs}
    literals: dict[str, Json] = {}
    for key, value in document.items():
        variable = variables.get(key) or variables.get(key.replace("-", "_"))
        if variable is None:
            raise unknown_input(key, interface)
        if variable.name not in texts:
            literals[variable.name] = _from_document(variable, value)
    for name, text in texts.items():
        literals[name] = _from_text(variables[name], text)
    missing = [variable.name for variable in interface.inputs if variable.required and variable.name not in literals]
    if missing:
        wanted = ", ".join(f"--{name.replace('_', '-')}" for name in missing)
        raise InputUsageError(
            f"missing {'input' if len(missing) == 1 else 'inputs'}: {wanted}",
            hint=f"the inputs are {inputs_text(interface)}",
        )
    return literals


def unknown_input(name: str, interface: Interface) -> InputUsageError:
    """Return the error for an input that does not exist."""
    near = nearest(name.replace("-", "_"), [variable.name for variable in interface.inputs])
    meant = f"; did you mean {near[0]}?" if near else ""
    return InputUsageError(f"unknown input {name}{meant}", hint=f"the inputs are {inputs_text(interface)}")


def inputs_text(interface: Interface) -> str:
    """Return all inputs in one line."""
    return ", ".join(variable_text(variable) for variable in interface.inputs) or "none"


def _from_document(variable: Variable, value: Json) -> Json:
    from flytemp.literals.check import check_literal
    from flytemp.literals.sizes import check_size

    try:
        return check_size(variable.name, check_literal(value, variable.type))
    except FlytempError as error:
        raise InputUsageError(f"--inputs: {variable.name}: {error.message}", hint=error.hint or _expected(variable)) from error


def _from_text(variable: Variable, text: str) -> Json:
    from flytemp.literals.check import check_literal
    from flytemp.literals.sizes import check_size
    from flytemp.literals.text import parse_text

    try:
        if text.startswith("@") and _takes_json(variable.type):
            return check_size(variable.name, check_literal(_read_json(Path(text[1:])), variable.type))
        return check_size(variable.name, parse_text(text, variable.type))
    except FlytempError as error:
        flag = f"--{variable.name.replace('_', '-')}"
        raise InputUsageError(f"{flag}: {error.message}", hint=error.hint or _expected(variable)) from error


def _expected(variable: Variable) -> str:
    return f"the input is {variable_text(variable)}"


def _takes_json(type_: LiteralType) -> bool:
    """Return whether ``@file`` reads a file; for types that accept text, @ is an ordinary character."""
    if type_.kind == "union":
        return all(_takes_json(variant) for variant in type_.variants)
    return type_.kind not in ("string", "enum", "file", "directory")


def _read_json(path: Path) -> Json:
    try:
        return read_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputUsageError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise InputUsageError(f"{path} is not JSON: {error}") from error


def read_document(source: str | None) -> dict[str, Json]:
    """Return the object in the file named by ``--inputs``: JSON or YAML, ``-`` for stdin."""
    if source is None:
        return {}
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
    except OSError as error:
        raise InputUsageError(f"--inputs: cannot read {source}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputUsageError(f"--inputs: {source} is not UTF-8 text") from error
    value = _parse_document(text, "stdin" if source == "-" else source)
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise InputUsageError(f"--inputs: {source} must contain one object with the inputs by name")
    return value


def _parse_document(text: str, name: str) -> Json:
    if name.endswith(".json"):
        try:
            return read_json(text)
        except ValueError as error:
            raise InputUsageError(f"--inputs: {name} is not JSON: {error}") from error
    import yaml

    # YAML 1.1 parses 2026-01-31 as a date; here the input's type decides, so dates stay text.
    class Loader(yaml.SafeLoader):
        yaml_implicit_resolvers = {
            first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
            for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

    try:
        loader = Loader(text)
        node = loader.get_single_node()
        if node is None:
            return {}
        _check_aliases(node, len(text), name)
        return loader.construct_document(node)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a number or a key that Python refuses
        raise InputUsageError(f"--inputs: {name} is neither JSON nor YAML: {' '.join(str(error).split())}") from error
    except RecursionError:
        from flytemp.literals.sizes import MAX_DEPTH

        message = f"--inputs: {name} is nested more than {MAX_DEPTH} levels deep"
        raise InputUsageError(message, hint="pass the data in a file input") from None


def _check_aliases(node: yaml.Node, characters: int, name: str) -> None:
    """Refuse a YAML document whose aliases stand for many more values than it has characters."""
    rest, count = [node], 0
    while rest:
        count += 1
        if count > _VALUES_PER_CHARACTER * characters + _FEW_VALUES:
            raise InputUsageError(f"--inputs: {name} has more than {count - 1:,} values when its aliases are expanded")
        children = rest.pop().value
        for child in children if isinstance(children, list) else ():
            rest += child if isinstance(child, tuple) else [child]


def upload_inputs(literals: dict[str, Json], interface: Interface, files: FileTransfer) -> dict[str, Json]:
    """Return ``literals`` with every local path, at any depth, replaced by the URI that ``files`` assigns.

    Raises:
        InputUsageError: a path does not exist, or has the wrong kind (file or directory).
        StoreError: the upload failed.
    """
    from flytemp.literals.uploads import upload_local_files

    types = {variable.name: variable.type for variable in interface.inputs}
    uploaded = {}
    for name, value in literals.items():
        try:
            uploaded[name] = upload_local_files(value, types[name], files)
        except TypeMismatch as error:
            raise InputUsageError(f"--{name.replace('_', '-')}: {error.message}", hint=error.hint) from error
    return uploaded
