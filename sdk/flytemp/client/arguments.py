"""From the arguments of `Client.launch` to a target and literals."""

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
from flytemp.literals.convert import to_literal
from flytemp.literals.types import Json
from flytemp.records.launch import LaunchOptions
from flytemp.spec.models import Document
from flytemp.store.object_store import ObjectStore

_OPTION_NAMES = {"inputs", "name", "version", "options"}


@dataclass(frozen=True)
class Call:
    """What `launch` was asked for. ``annotations`` are the inputs' Python types, where an object was given."""

    target: str
    values: Mapping[str, Any]
    annotations: Mapping[str, Any] | None
    name: str | None = None
    version: str | None = None
    options: LaunchOptions = field(default_factory=LaunchOptions)
    result: Callable[[dict[str, Json]], Any] | None = None

    def with_version(self, version: str | None) -> Call:
        return replace(self, version=version)

    def literals(self, document: Document, store: ObjectStore) -> dict[str, Json]:
        """The values as JSON; local files among them are uploaded. Blocks on the store."""
        if self.annotations is None:
            return upload_inputs(self.values, launch_interface(document), store)
        uploads = ContentUploads(store)
        literals = {}
        for name, value in self.values.items():
            if name not in self.annotations:
                literals[name] = value  # merge_inputs explains it
                continue
            try:
                literals[name] = to_literal(value, self.annotations[name], uploads)
            except FlytempError as error:
                raise InputError(f"{document.name}: input {name!r}: {error.message}", hint=error.hint) from error
        return literals


def call_of(target: Any, args: Sequence[Any], kwargs: Mapping[str, Any], *, typed: bool = False) -> Call:
    """Tell the two forms of `launch` apart.

    An object called with its own arguments is the typed form; ``inputs=`` (where the object has no input of that
    name) and every launch by name is the other.
    """
    if isinstance(target, str):
        return _by_options(target, args, kwargs, None, None)
    if not isinstance(target, LaunchPlan | Workflow | Task):
        raise InputError(
            f"{target!r} is no workflow, task or launch plan",
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
        what = f"unknown option {sorted(unknown)[0]!r}" if unknown else "positional arguments"
        raise InputError(
            f"launch of {target!r}: {what}",
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
