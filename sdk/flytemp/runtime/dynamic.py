"""Graph of a dynamic task at run time, as the document of a workflow."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from flytemp.authoring.compilation import Compilation, trace
from flytemp.authoring.task import Task
from flytemp.compiler.assemble import generated_document
from flytemp.literals.convert import to_literal
from flytemp.literals.transfer import FileTransfer
from flytemp.spec.models import WorkflowDocument


def generate(task: Task[..., Any], values: Mapping[str, Any], files: FileTransfer | None) -> WorkflowDocument:
    """Call the function of a dynamic task and return the graph that it builds.

    Args:
        task: a task of kind ``dynamic``.
        values: inputs as Python values.
        files: uploads the local files among the constants.

    Returns:
        A document with the name of the task. Its workflow has no inputs and the outputs of the task.

    Raises:
        ProgramError: with all problems of the graph.
        Exception: any exception of the function.
    """
    interface = task.python_interface
    compilation = Compilation(interface.owner, partial(to_literal, files=files))
    trace(compilation, task.function, values, interface, task.site)
    graph = compilation.graph(task.site.location)
    graph.warn()
    return generated_document(task, graph)
