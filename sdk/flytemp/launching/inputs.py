"""Inputs of a launch: its interface, and the caller's values merged with the defaults and checked."""

from __future__ import annotations

from collections.abc import Mapping

from flytemp.errors import FlytempError, InputError
from flytemp.literals.check import check_external, check_literal
from flytemp.literals.sizes import check_size
from flytemp.literals.types import Json
from flytemp.spec.models import Document, Interface, LaunchPlanDocument, TaskDocument, Variable
from flytemp.suggest import nearest


def full_interface(document: Document) -> Interface:
    """Return the interface of the task or workflow that runs, including inputs that a launch plan fixes."""
    if isinstance(document, TaskDocument):
        return document.task.interface
    return document.interface if isinstance(document, LaunchPlanDocument) else document.root.interface


def launch_interface(document: Document) -> Interface:
    """Return the interface for callers: without a launch plan's fixed inputs and with its defaults."""
    interface = full_interface(document)
    if not isinstance(document, LaunchPlanDocument):
        return interface
    plan = document.launch_plan
    inputs = tuple(
        _with_default(variable, plan.default_inputs)
        for variable in interface.inputs
        if variable.name not in plan.fixed_inputs
    )
    return Interface(inputs=inputs, outputs=interface.outputs)


def _with_default(variable: Variable, defaults: Mapping[str, Json]) -> Variable:
    if variable.name not in defaults:
        return variable
    return variable.model_copy(update={"required": False, "default": defaults[variable.name]})


def merge_inputs(document: Document, given: Mapping[str, Json], *, is_child: bool = False) -> dict[str, Json]:
    """Return the complete inputs of an execution, checked against the interface.

    The caller's values take precedence over the launch plan's defaults, which take precedence over the defaults of the
    signature. A launch plan's fixed inputs cannot be overridden.

    Args:
        document: the task, workflow or launch plan to launch.
        given: the caller's values.
        is_child: True if tasks of a parent execution made the values, so that no class validates them again.

    Raises:
        InputError: an input is unknown, fixed, missing, of the wrong type or too large. The message lists every problem.
    """
    plan = document.launch_plan if isinstance(document, LaunchPlanDocument) else None
    fixed = plan.fixed_inputs if plan else {}
    defaults = plan.default_inputs if plan else {}
    interface = full_interface(document)
    known = {variable.name for variable in interface.inputs}
    problems = [_unknown(name, known) for name in given if name not in known]
    problems += [f"input {name!r} is fixed by the launch plan and cannot be overridden" for name in given if name in fixed]
    check = check_literal if is_child else check_external
    merged: dict[str, Json] = {}
    for variable in interface.inputs:
        name = variable.name
        if name in fixed:
            merged[name] = fixed[name]
        elif name in given:
            try:
                merged[name] = check(given[name], variable.type)
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
        entity = f"{document.kind.replace('_', ' ')} {document.name}"
        free = [name for name in sorted(known) if name not in fixed]
        raise InputError(
            f"{entity}: {'; '.join(problems)}", hint=f"its inputs are {', '.join(free)}" if free else "it takes no inputs"
        )
    return merged


def _unknown(name: str, known: set[str]) -> str:
    near = nearest(name, known)
    return f"there is no input {name!r}" + (f", did you mean {near[0]!r}?" if near else "")
