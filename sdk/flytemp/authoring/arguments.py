"""Matching a call's arguments with the inputs of what is called."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from flytemp.authoring.errors import CallError, MissingInputs
from flytemp.authoring.interface import PythonInterface
from flytemp.errors import Location
from flytemp.literals.describe import describe_type


def given_inputs(
    interface: PythonInterface, args: tuple[Any, ...], kwargs: Mapping[str, Any], location: Location | None
) -> dict[str, Any]:
    """The values that a call gives, by name.

    Raises:
        CallError: (an ``AssertionError``) for too many positional, unknown or doubly given arguments.
        MissingInputs: (a ``TypeError``) for inputs that are neither given nor have a default.
    """
    names = list(interface.parameters)
    if len(args) > len(names):
        raise CallError(
            f"Received more arguments than expected in {interface.owner}: {len(args)} for {len(names)} inputs",
            hint=f"its inputs: {', '.join(names) or 'none'}",
            location=location,
        )
    values = dict(zip(names, args, strict=False))
    for name, value in kwargs.items():
        if name not in interface.parameters:
            raise CallError(
                f"Received unexpected keyword argument '{name}' in {interface.owner}", hint=_near(name, names), location=location
            )
        if name in values:
            raise CallError(f"Received argument '{name}' twice in {interface.owner}", location=location)
        values[name] = value
    require(interface, values, location)
    return values


def require(interface: PythonInterface, values: Mapping[str, Any], location: Location | None) -> None:
    """Refuse a call that leaves out inputs without a default; see `given_inputs`."""
    defaults = interface.defaults
    missing = [name for name in interface.parameters if name not in values and name not in defaults]
    if missing:
        types = interface.input_types
        raise MissingInputs(
            f"{interface.owner} is called without {', '.join(repr(name) for name in missing)}",
            hint=f"it needs {', '.join(f'{name}: {describe_type(types[name])}' for name in missing)}",
            location=location,
        )


def _near(name: str, names: list[str]) -> str:
    near = difflib.get_close_matches(name, names, 1)
    return f"did you mean '{near[0]}'?" if near else f"its inputs: {', '.join(names) or 'none'}"
