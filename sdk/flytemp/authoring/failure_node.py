"""Failure node of a workflow, which calls the handler of `@workflow(on_failure=…)`."""

from __future__ import annotations

import types
import typing
from typing import Any

from flytemp.authoring.binding import Constant, FailureCause, bind
from flytemp.authoring.callee import Callee
from flytemp.authoring.compilation import Compilation
from flytemp.authoring.definition_site import DefinitionSite
from flytemp.authoring.interface import PythonInterface
from flytemp.authoring.node import Node
from flytemp.exceptions.user import FlyteFailureNodeInputMismatchException
from flytemp.literals.cast import castable
from flytemp.literals.describe import describe_type
from flytemp.types.error import FlyteError

FAILURE_NODE = "fn0"


def failure_node(
    compilation: Compilation, handler: Callee, owner: str, site: DefinitionSite, node_id: str = FAILURE_NODE
) -> Node:
    """Return the node that calls ``handler`` with the workflow's inputs and the reason of the failure.

    Args:
        compilation: the compilation of the workflow, with all inputs.
        handler: a task, workflow or launch plan.
        owner: the name of the workflow.
        site: the definition of the workflow.
        node_id: the id of the node.

    Raises:
        FlyteFailureNodeInputMismatchException: the handler lacks an input of the workflow, or requires another input.
    """
    interface = handler.python_interface
    mismatches = _mismatches(compilation, interface)
    if mismatches:
        raise FlyteFailureNodeInputMismatchException(
            f"Mismatched Inputs Detected: the failure node '{handler.name}' and the workflow '{owner}': {'; '.join(mismatches)}",
            hint="the handler must take every input of the workflow; other inputs must be Optional or have a default; "
            "an input err: Optional[FlyteError] receives the reason",
            location=site.location,
        )
    node = Node(compilation, node_id, handler, site)
    for name, parameter in interface.parameters.items():
        if _is_error(parameter.annotation):
            node.bindings[name] = FailureCause()
        elif name in compilation.inputs:
            node.bindings[name] = bind(name, compilation.inputs[name], parameter.annotation, compilation)
        else:
            node.bindings[name] = Constant(interface.defaults.get(name))
    return node


def _mismatches(compilation: Compilation, interface: PythonInterface) -> list[str]:
    mismatches: list[str] = []
    types_ = interface.input_types
    for name, promise in compilation.inputs.items():
        if name not in types_:
            mismatches.append(f"the handler does not take '{name}'")
        elif not castable(promise._type, types_[name]):
            mismatches.append(
                f"'{name}' is {describe_type(promise._type)} in the workflow but {describe_type(types_[name])} in the handler"
            )
    for name, parameter in interface.parameters.items():
        optional = _is_optional(parameter.annotation) or name in interface.defaults or _is_error(parameter.annotation)
        if name not in compilation.inputs and not optional:
            mismatches.append(f"the handler requires '{name}', which the workflow does not have")
    return mismatches


def _is_error(annotation: Any) -> bool:
    """Return True for `FlyteError` and ``Optional[FlyteError]``."""
    return any(variant is FlyteError for variant in _variants(annotation))


def _is_optional(annotation: Any) -> bool:
    return any(variant is type(None) for variant in _variants(annotation))


def _variants(annotation: Any) -> tuple[Any, ...]:
    if typing.get_origin(annotation) is typing.Annotated:
        return _variants(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return typing.get_args(annotation)
    return (annotation,)
