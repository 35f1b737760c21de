"""Arguments of a call, matched with the inputs of the callee."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flytemp.authoring.errors import CallError, MissingInputs
from flytemp.authoring.interface import PythonInterface
from flytemp.errors import Location
from flytemp.literals.describe import describe_type
from flytemp.suggest import suggest


def given_inputs(
    interface: PythonInterface, args: tuple[Any, ...], kwargs: Mapping[str, Any], location: Location | None
) -> dict[str, Any]:
    """Return the values of a call by the names of the inputs.

    Raises:
        CallError: (an ``AssertionError``) an argument is unknown or given twice, or there are too many positional ones.
        MissingInputs: (a ``TypeError``) an input is neither given nor has a default.
    """
    names = list(interface.parameters)
    its_inputs = f"its inputs: {', '.join(names) or 'none'}"
    if len(args) > len(names):
        raise CallError(
            f"Received more arguments than expected in {interface.owner}: {len(args)} for {len(names)} inputs",
            hint=its_inputs,
            location=location,
        )
    values = dict(zip(names, args, strict=False))
    for name, value in kwargs.items():
        if name not in interface.parameters:
            raise CallError(
                f"Received unexpected keyword argument '{name}' in {interface.owner}",
                hint=suggest(name, names, its_inputs),
                location=location,
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
