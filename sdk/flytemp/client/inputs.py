"""A launch's inputs: merged in Flyte's order, checked against the interface, every mistake reported at once."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from flytemp.client.targets import interface_of
from flytemp.errors import FlytempError, InputError
from flytemp.literals.check import check_literal
from flytemp.literals.limits import check_size
from flytemp.literals.types import Json
from flytemp.spec.models import Document, LaunchPlanDocument


def merge_inputs(document: Document, given: Mapping[str, Json]) -> dict[str, Json]:
    """The complete inputs of what runs: the caller's over the launch plan's defaults over the signature's.

    A launch plan's fixed inputs are absolute.

    Raises:
        InputError: an input is unknown, fixed, missing, of the wrong type or too large; the text lists them all.
    """
    plan = document.launch_plan if isinstance(document, LaunchPlanDocument) else None
    fixed = plan.fixed_inputs if plan else {}
    defaults = plan.default_inputs if plan else {}
    interface = interface_of(document)
    known = {variable.name for variable in interface.inputs}
    problems = [_unknown(name, known) for name in given if name not in known]
    problems += [
        f"input {name!r} is fixed by the launch plan and cannot be overridden" for name in given if name in fixed
    ]
    merged: dict[str, Json] = {}
    for variable in interface.inputs:
        name = variable.name
        if name in fixed:
            merged[name] = fixed[name]
        elif name in given:
            try:
                merged[name] = check_literal(given[name], variable.type)
                check_size(name, merged[name])
            except FlytempError as error:
                problems.append(f"input {name!r}: {error.message}")
        elif name in defaults:
            merged[name] = defaults[name]
        elif not variable.required:
            merged[name] = variable.default
        else:
            problems.append(f"input {name!r} is missing")
    if problems:
        what = f"{document.kind.replace('_', ' ')} {document.name}"
        free = [name for name in sorted(known) if name not in fixed]
        raise InputError(
            f"{what}: {'; '.join(problems)}", hint=f"its inputs are {', '.join(free)}" if free else "it takes no inputs"
        )
    return merged


def _unknown(name: str, known: set[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"there is no input {name!r}" + (f", did you mean {near[0]!r}?" if near else "")
