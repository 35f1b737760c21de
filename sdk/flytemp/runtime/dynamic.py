"""What a dynamic task makes when it runs: a document, as a workflow's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flytemp.authoring.compilation import Compilation, trace
from flytemp.authoring.task import Task
from flytemp.compiler.assemble import generated_document
from flytemp.literals.transfer import FileTransfer
from flytemp.spec.models import WorkflowDocument


def generate(task: Task[..., Any], values: Mapping[str, Any], files: FileTransfer | None) -> WorkflowDocument:
    """Call a dynamic task's function and write down the graph that it makes.

    Args:
        task: of kind ``dynamic``.
        values: its inputs, as Python values.
        files: uploads the local files among constants.

    Returns:
        a document of the task's name, whose workflow has no inputs, and the task's outputs.

    Raises:
        ProgramError: with everything that is wrong with the graph.
        Exception: whatever the function raises.
    """
    interface = task.python_interface
    compilation = Compilation(interface.owner, files)
    trace(compilation, task.function, values, interface, task.site)
    return generated_document(task, compilation.graph(task.site.location))
