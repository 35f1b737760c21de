"""`create_node`: a call whose node is at hand, to order it or to take outputs by name."""

from __future__ import annotations

from typing import Any

from flytemp.authoring.compilation import current_compilation
from flytemp.authoring.definition_site import caller_site
from flytemp.authoring.errors import AuthoringError, CallError
from flytemp.authoring.launch_plan import LaunchPlan
from flytemp.authoring.mapping import MapTask
from flytemp.authoring.node import Node
from flytemp.authoring.promise import Chainable
from flytemp.authoring.task import Task
from flytemp.authoring.workflow import Workflow


def create_node(entity: Task[..., Any] | Workflow[..., Any] | LaunchPlan[Any] | MapTask, *args: Any, **kwargs: Any) -> Node:
    """Call a task, workflow or launch plan inside a workflow and return the node: ``node.o0``, ``node >> other``.

    Raises:
        CallError: (an ``AssertionError``) for positional arguments, or those that the entity does not have.
        AuthoringError: outside of a workflow.
    """
    location = caller_site().location
    compilation = current_compilation()
    if not isinstance(entity, Task | Workflow | LaunchPlan | MapTask):
        raise CallError(
            f"create_node needs a task, workflow or launch plan, not {entity!r}",
            hint="decorate the function with @task",
            location=location,
        )
    if compilation is None:
        raise AuthoringError(
            "create_node can only be used inside a workflow",
            hint=f"call it: {entity.name.rpartition('.')[2]}(…)",
            location=location,
        )
    if args:
        raise CallError(
            "Only keyword args are supported to pass inputs to workflows and tasks via create_node.", location=location
        )
    result: Chainable = entity(**kwargs)  # inside a workflow, calls give promises
    return result._chained_node()
