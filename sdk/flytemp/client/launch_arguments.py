"""Arguments of `Client.launch`, converted to a target, options and literals."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from flytemp.authoring.launch_plan import LaunchPlan
from flytemp.authoring.task import Task
from flytemp.authoring.workflow import Workflow
from flytemp.client.uploads import ContentUploads, upload_inputs
from flytemp.errors import FlytempError, InputError
from flytemp.launching.inputs import launch_interface
from flytemp.literals.convert import from_literal, to_literal
from flytemp.literals.marks import as_launched
from flytemp.literals.types import Json
from flytemp.records.launch import LaunchOptions
from flytemp.spec.models import Document
from flytemp.store.object_store import ObjectStore

_OPTION_NAMES = {"inputs", "name", "version", "options"}


@dataclass(frozen=True)
class Call:
    """Parsed arguments of a launch.

    Attributes:
        target: the name or URN of the entity.
        values: the inputs as the caller gave them.
        annotations: the Python types of the inputs, if an object was given.
        name: the name of the execution.
        version: the version of the entity.
        options: the options of the execution.
        result: converts outputs to the Python result, if an object was given.
    """

    target: str
    values: Mapping[str, Any]
    annotations: Mapping[str, Any] | None
    name: str | None = None
    version: str | None = None
    options: LaunchOptions = field(default_factory=LaunchOptions)
    result: Callable[[dict[str, Json]], Any] | None = None

    def with_version(self, version: str | None) -> Call:
        """Return a copy with another version."""
        return replace(self, version=version)

    def literals(self, document: Document, store: ObjectStore) -> dict[str, Json]:
        """Return the inputs as JSON. Local files are uploaded, which blocks.

        Raises:
            InputError: a value has the wrong type.
        """
        if self.annotations is None:
            return upload_inputs(self.values, launch_interface(document), store)
        uploads = ContentUploads(store)
        literals = {}
        for name, value in self.values.items():
            if name not in self.annotations:
                literals[name] = value  # merge_inputs reports it
                continue
            try:
                literals[name] = _launchable(to_literal(value, self.annotations[name], uploads), self.annotations[name])
            except FlytempError as error:
                raise InputError(f"{document.name}: input {name!r}: {error.message}", hint=error.hint) from error
        return literals


def _launchable(literal: Json, annotation: Any) -> Json:
    """Return the literal of an input after its classes have validated it, as the first task will.

    Raises:
        TypeMismatch: a class changes the value when it validates it again.
    """
    launched = as_launched(literal)
    if launched != literal:
        from_literal(launched, annotation)
    return literal


def call_of(target: Any, args: Sequence[Any], kwargs: Mapping[str, Any], *, typed: bool = False) -> Call:
    """Return the parsed arguments of either form of `Client.launch`.

    The typed form passes the arguments of an object's function. The other form passes ``inputs``, ``name``, ``version``
    and ``options``; it applies to every launch by name, and to an object that has no inputs of these names.

    Args:
        target: an object, a name or a URN.
        args: the positional arguments.
        kwargs: the keyword arguments.
        typed: accept only the typed form.

    Raises:
        InputError: the target is neither an object nor a text, or the arguments fit neither form.
    """
    if isinstance(target, str):
        return _by_options(target, args, kwargs, None, None)
    if not isinstance(target, LaunchPlan | Workflow | Task):
        raise InputError(
            f"cannot launch {target!r}: it is not a workflow, task or launch plan",
            hint="give the decorated function, a LaunchPlan, a registered name or a URN",
        )
    workflow = target.workflow if isinstance(target, LaunchPlan) else target
    annotations = {name: parameter.annotation for name, parameter in workflow.python_interface.parameters.items()}
    options_form = (
        not typed and not args and kwargs and set(kwargs) <= _OPTION_NAMES and not set(kwargs) & set(annotations)
    )
    if options_form or isinstance(target, LaunchPlan):
        return _by_options(target.name, args, kwargs, annotations, _result_reader(workflow))
    values = _bind(workflow.name, list(annotations), args, kwargs)
    return Call(target.name, values, annotations, result=_result_reader(workflow))


def _by_options(
    target: str, args: Sequence[Any], kwargs: Mapping[str, Any], annotations: Mapping[str, Any] | None, result: Any
) -> Call:
    unknown = set(kwargs) - _OPTION_NAMES
    if args or unknown:
        problem = f"unknown option {sorted(unknown)[0]!r}" if unknown else "positional arguments are not supported"
        raise InputError(
            f"cannot launch {target!r}: {problem}",
            hint="give the inputs as inputs={...}; options are name, version and options",
        )
    return Call(
        target,
        dict(kwargs.get("inputs") or {}),
        annotations,
        kwargs.get("name"),
        kwargs.get("version"),
        kwargs.get("options") or LaunchOptions(),
        result,
    )


def _bind(name: str, inputs: list[str], args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    parameters = [inspect.Parameter(item, inspect.Parameter.POSITIONAL_OR_KEYWORD) for item in inputs]
    try:
        return dict(inspect.Signature(parameters).bind_partial(*args, **kwargs).arguments)
    except TypeError as error:
        raise InputError(f"{name}: {error}", hint=f"its inputs are {', '.join(inputs) or 'none'}") from error


def _result_reader(workflow: Any) -> Callable[[dict[str, Json]], Any]:
    interface = workflow.python_interface

    def read(literals: dict[str, Json]) -> Any:
        return interface.output_values(literals)

    return read
