"""Views of an execution: the full view, the result of a finished execution, its failure, and its exit code."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

from flytemp_cli.error_report import EXIT_EXECUTION_ABORTED, EXIT_EXECUTION_FAILED, EXIT_OK
from flytemp_cli.formatting import utc_now, value_text
from flytemp_cli.output import pairs
from flytemp_cli.style import Style, one_line, printable

if TYPE_CHECKING:
    from flytemp.records.models import ErrorInfo, Execution, NodeExecution
    from flytemp_cli.output import Output

_OTHERS_SHOWN = 5
_TRACEBACK = "Traceback (most recent call last):"


def final_exit_code(execution: Execution) -> int:
    """Return 0 if the execution succeeded, 3 if it failed or timed out, 4 if it was cancelled or terminated."""
    match execution.phase.value:
        case "SUCCEEDED":
            return EXIT_OK
        case "ABORTED":
            return EXIT_EXECUTION_ABORTED
        case _:
            return EXIT_EXECUTION_FAILED


def show_end(execution: Execution, output: Output, *, local: bool = False) -> None:
    """Print a finished execution (JSON, name or outputs) and its failure, if any.

    ``local``: the execution ran in this process, so the output of its tasks is above on the terminal.
    """
    for warning in execution.warnings:
        output.warning(warning)
    output.data(execution, table=lambda style: output_lines(execution, style), names=[execution.name])
    if execution.phase.value != "SUCCEEDED":
        for line in failure_lines(execution, output.messages, verbose=output.verbose, local=local):
            output.note(line)


def output_lines(execution: Execution, style: Style) -> list[str]:
    """Return the name and value of every output."""
    return pairs([(name, value_text(value)) for name, value in (execution.outputs or {}).items()], style)


def failure_lines(execution: Execution, style: Style, *, verbose: bool = False, local: bool = False) -> list[str]:
    """Return what failed, why, the place in the user's code, and the next command."""
    error = execution.error
    phase = execution.phase.value
    lines = [f"{style.error('error: ')}execution {execution.name} is {style.phase(phase)}{_reason(error)}"]
    if error is not None:
        lines += _location_lines(error, style, verbose=verbose)
    failed_node = error.node if error is not None else None
    others = [node for node in _failed_nodes(execution) if node.id != failed_node]
    for node in others[:_OTHERS_SHOWN]:
        reason = f": {one_line(f'{node.error.code}: {node.error.message}', 200)}" if node.error else ""
        lines.append(f"also {node.phase.value.lower()}: node {node.id} ({one_line(node.name)}){reason}")
    if len(others) > _OTHERS_SHOWN:
        lines.append(f"and {len(others) - _OTHERS_SHOWN} more")
    shown = failed_node or (others[0].id if others else None)
    return [*lines, style.hint("hint: ") + _next_step(execution, shown, local=local)]


def _next_step(execution: Execution, node: str | None, *, local: bool) -> str:
    if local:
        return "the task's output is above; -v shows the complete traceback"
    kinds = {node.id: node.kind for node in execution.nodes}
    if node is None or kinds.get(node, "task") not in ("task", "dynamic"):
        return f"`flytemp get execution {execution.name}` shows the details"
    return f"`flytemp logs {execution.name} {node}` shows its output"


def error_text(error: ErrorInfo) -> str:
    """Return ``code: message``; only the message if it starts with the code."""
    message = printable(error.message.strip())
    return message if message.lower().startswith(error.code.lower()) else f"{error.code}: {message}"


def _reason(error: ErrorInfo | None) -> str:
    if error is None:
        return ""
    if error.node is None:
        return f": {error_text(error)}"
    task = f" ({error.task})" if error.task else ""
    attempt = f", attempt {error.attempt}" if error.attempt else ""
    return f": node {error.node}{task}{attempt}: {error_text(error)}"


def _location_lines(error: ErrorInfo, style: Style, *, verbose: bool) -> list[str]:
    text = printable(error.traceback or "").rstrip().splitlines()
    lines = [style.dim(f"  {line}") for line in (text if verbose else _frames(text))]
    if error.kind == "SYSTEM" and error.code not in ("Terminated", "Cancelled"):
        lines.append(style.dim("note: this is a failure of the platform, not of the task's code"))
    return lines


def _frames(traceback: list[str]) -> list[str]:
    """Return the frames of the last exception in a traceback, without its type and text."""
    start = max((index for index, line in enumerate(traceback) if line == _TRACEBACK), default=-1)
    return list(itertools.takewhile(lambda line: line.startswith(" "), traceback[start + 1 :]))


def _failed_nodes(execution: Execution) -> list[NodeExecution]:
    """Return the nodes at which a failure began, without the nodes that failed because of a node inside them."""
    failed = [node for node in execution.nodes if node.phase.value in ("FAILED", "TIMED_OUT")]
    callers = {caller for node in failed for caller in _callers(node.id)}
    return [node for node in failed if node.id not in callers and node.kind != "workflow"]


def _callers(path: str) -> Iterator[str]:
    while "." in path:
        path = path.rpartition(".")[0]
        yield path


def execution_view(execution: Execution, style: Style, ui: str, *, every_node: bool = False) -> list[str]:
    """Return the lines of `flytemp get execution`: header with URIs, inputs, outputs, nodes, warnings and error.

    Large executions show only their most relevant nodes, unless ``every_node`` is set.
    """
    from flytemp_cli.formatting import ago_text, elapsed_text
    from flytemp_cli.node_tree import MAX_LINES, pause_text, tree_lines

    now = utc_now()
    workflow = f"{execution.workflow} {style.dim('version')} {execution.version}" if execution.workflow else ""
    lines = pairs(
        [
            ("Execution", style.bold(execution.name)),
            ("Phase", style.phase(execution.phase.value)),
            ("Paused", pause_text(execution, now).removeprefix("paused ")),
            ("Workflow", workflow),
            ("Launch plan", execution.launch_plan or ""),
            ("Project", f"{execution.project} / {execution.domain}"),
            ("Started", ago_text(execution.started_at, now)),
            ("Duration", elapsed_text(execution.started_at, execution.finished_at, now)),
            ("Labels", ", ".join(f"{key}={value}" for key, value in execution.labels.items())),
            ("Annotations", ", ".join(f"{key}={value}" for key, value in execution.annotations.items())),
            ("Metadata", execution.metadata_uri or ""),
            ("Files", execution.raw_data_uri or ""),
            ("Workflow id", f"{execution.workflow_id} {style.dim('in namespace')} {execution.namespace}"),
            ("Temporal UI", ui),
        ],
        style,
    )
    for title, values in (("Inputs", execution.inputs), ("Outputs", execution.outputs)):
        if values:
            rows = pairs([(name, value_text(value)) for name, value in values.items()], style)
            lines += ["", style.bold(title), *(f"  {row}" for row in rows)]
    if execution.nodes:
        until = execution.finished_at or now
        height = None if every_node else MAX_LINES
        lines += ["", style.bold("Nodes"), *tree_lines(execution.nodes, until, style, height=height, name=execution.name)]
    if execution.warnings:
        lines += ["", style.bold("Warnings"), *(f"  {one_line(text)}" for text in execution.warnings)]
    if execution.error is not None:
        lines += [
            "",
            style.bold("Error"),
            f"  {_reason(execution.error).removeprefix(': ')}",
            *_location_lines(execution.error, style, verbose=True),
        ]
    return lines
