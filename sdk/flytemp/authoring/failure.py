"""The failure node of a workflow: what `@workflow(on_failure=…)` calls."""

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
    compilation: Compilation, handler: Callee, owner: str, place: DefinitionSite, node_id: str = FAILURE_NODE
) -> Node:
    """The node that calls ``handler`` with the inputs of the workflow that is put together, and the reason of its failure.

    Args:
        compilation: of the workflow; its inputs are known.
        handler: a task, workflow or launch plan.
        owner: the workflow's name.
        place: the workflow's.
        node_id: the node's id.

    Raises:
        FlyteFailureNodeInputMismatchException: the handler lacks an input, or needs one that the workflow does not have.
    """
    interface = handler.python_interface
    wrong = _mismatches(compilation, interface)
    if wrong:
        raise FlyteFailureNodeInputMismatchException(
            f"Mismatched Inputs Detected: the failure node '{handler.name}' and the workflow '{owner}': {'; '.join(wrong)}",
            hint="the handler takes every input of the workflow; others must be Optional or have a default, and "
            "err: Optional[FlyteError] gets the reason",
            location=place.location,
        )
    node = Node(compilation, node_id, handler, place)
    for name, parameter in interface.parameters.items():
        if _is_error(parameter.annotation):
            node.bindings[name] = FailureCause()
        elif name in compilation.inputs:
            node.bindings[name] = bind(name, compilation.inputs[name], parameter.annotation, compilation)
        else:
            node.bindings[name] = Constant(interface.defaults.get(name))
    return node


def _mismatches(compilation: Compilation, interface: PythonInterface) -> list[str]:
    wrong = []
    types_ = interface.input_types
    for name, promise in compilation.inputs.items():
        if name not in types_:
            wrong.append(f"the handler does not take '{name}'")
        elif not castable(promise._type, types_[name]):
            wrong.append(f"'{name}' is {describe_type(promise._type)}, and {describe_type(types_[name])} for the handler")
    for name, parameter in interface.parameters.items():
        optional = _is_optional(parameter.annotation) or name in interface.defaults or _is_error(parameter.annotation)
        if name not in compilation.inputs and not optional:
            wrong.append(f"the handler needs '{name}', which the workflow does not have")
    return wrong


def _is_error(annotation: Any) -> bool:
    """Whether it is `FlyteError` or an Optional one."""
    return any(variant is FlyteError for variant in _variants(annotation))


def _is_optional(annotation: Any) -> bool:
    return any(variant is type(None) for variant in _variants(annotation))


def _variants(annotation: Any) -> tuple[Any, ...]:
    if typing.get_origin(annotation) is typing.Annotated:
        return _variants(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return typing.get_args(annotation)
    return (annotation,)
