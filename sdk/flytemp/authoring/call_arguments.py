"""Arguments of a call, matched with the inputs of the callee."""

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
    """Return the values of a call by the names of the inputs.

    Raises:
        CallError: (an ``AssertionError``) an argument is unknown or given twice, or there are too many positional ones.
        MissingInputs: (a ``TypeError``) an input is neither given nor has a default.
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
    require_inputs(interface, values, location)
    return values


def require_inputs(interface: PythonInterface, values: Mapping[str, Any], location: Location | None) -> None:
    """Check that every input without a default is given.

    Raises:
        MissingInputs: (a ``TypeError``) an input is missing.
    """
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
