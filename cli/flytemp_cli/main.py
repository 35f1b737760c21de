"""Entry point of `flytemp`: parses the command line, runs one command, and reports errors."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from flytemp_cli.error_report import EXIT_BROKEN_PIPE, EXIT_INTERRUPTED, report
from flytemp_cli.lazy_imports import Entry, LazyGroup
from flytemp_cli.options import version_option
from flytemp_cli.output import StdoutClosed
from flytemp_cli.session import Session

PROGRAM = "flytemp"

_PROJECT = "Development"
_REGISTRY = "Registry"
_EXECUTIONS = "Executions"
_OPERATE = "Operations"

# The summaries are here and not in the modules, so that `flytemp --help` does not import the modules.
COMMANDS = {
    "init": Entry("flytemp_cli.commands.init", "Create a project: a workflow, its test, a configuration", _PROJECT),
    "dev": Entry("flytemp_cli.commands.dev", "Run Temporal, its UI, a worker and a store locally", _PROJECT),
    "check": Entry("flytemp_cli.commands.check", "Compile and validate, without a server", _PROJECT),
    "run": Entry("flytemp_cli.commands.run", "Register, launch and follow a workflow of a file", _PROJECT),
    "graph": Entry("flytemp_cli.commands.graph", "Draw a workflow as Mermaid, Graphviz dot or SVG", _PROJECT),
    "register": Entry("flytemp_cli.commands.register", "Compile workflows and store them under a version", _REGISTRY),
    "list": Entry("flytemp_cli.commands.list", "List executions, waiting gates, workflows, tasks or launch plans", _REGISTRY),
    "get": Entry("flytemp_cli.commands.get", "Show one execution, workflow, task or launch plan", _REGISTRY),
    "launch": Entry("flytemp_cli.commands.launch", "Start an execution of a registered entity", _EXECUTIONS),
    "logs": Entry("flytemp_cli.commands.logs", "Print the output of an execution's tasks", _EXECUTIONS),
    "approve": Entry("flytemp_cli.commands.gates:approve", "Approve a gate", _EXECUTIONS),
    "reject": Entry("flytemp_cli.commands.gates:reject", "Reject a waiting approval", _EXECUTIONS),
    "set-input": Entry("flytemp_cli.commands.gates:set_input", "Set the value of an input gate", _EXECUTIONS),
    "pause": Entry("flytemp_cli.commands.control:pause", "Pause an execution; running tasks continue", _EXECUTIONS),
    "resume": Entry("flytemp_cli.commands.control:resume", "Resume a paused execution", _EXECUTIONS),
    "retry": Entry("flytemp_cli.commands.control:retry", "Retry the failed nodes of an execution", _EXECUTIONS),
    "cancel": Entry("flytemp_cli.commands.control:cancel", "Ask an execution to stop; failure handlers run", _EXECUTIONS),
    "terminate": Entry("flytemp_cli.commands.control:terminate", "End an execution at once", _EXECUTIONS),
    "setup": Entry("flytemp_cli.commands.setup", "Prepare an existing Temporal and store; safe to repeat", _OPERATE),
    "janitor": Entry("flytemp_cli.commands.janitor", "Delete the pods that no execution needs", _OPERATE),
    "worker": Entry("flytemp_cli.commands.worker", "Run a worker; TERM or Ctrl-C drains it", _OPERATE),
    "config": Entry("flytemp_cli.commands.config", "Show the configuration and where each value comes from", _OPERATE),
    "completion": Entry("flytemp_cli.commands.completion", "Print the shell's completion script", _OPERATE),
    "version": Entry("flytemp_cli.commands.version", "Print the versions of flytemp and its dependencies", _OPERATE),
}

cli = LazyGroup(
    name=PROGRAM,
    entries=COMMANDS,
    params=[version_option()],
    context_settings={"help_option_names": ["-h", "--help"]},
    help=(
        "Typed Python workflows for ML and data, run durably by Temporal.\n\n"
        "\b\nA first run:\n"
        "  flytemp init my-project && cd my-project\n"
        "  flytemp dev                                   (in a separate terminal)\n"
        "  flytemp run src/workflows.py word_statistics"
    ),
    epilog=(
        "Data goes to stdout, everything else to stderr. Exit codes: 0 ok, 1 error, 2 usage, 3 the execution failed, "
        "4 it was cancelled or terminated, 5 waiting timed out, 130 Ctrl-C."
    ),
)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line, report an error, and return the exit code."""
    session = Session()
    try:
        result: Any = cli.main(
            args=None if arguments is None else list(arguments), prog_name=PROGRAM, standalone_mode=False, obj=session
        )
        sys.stdout.flush()
    except (BrokenPipeError, StdoutClosed):
        # The reader has closed the pipe. The flush at exit must not fail.
        _discard_stdout()
        return EXIT_BROKEN_PIPE
    except (click.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the one place where every error becomes a message
        return report(error, session)
    return result if isinstance(result, int) else 0


def _discard_stdout() -> None:
    try:
        descriptor = sys.stdout.fileno()
    except OSError:  # the stream of a test has no file descriptor
        return
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, descriptor)
    os.close(devnull)


def main() -> NoReturn:
    """Run the console script."""
    _exit_process(run())


def _exit_process(code: int) -> NoReturn:
    """End the process with ``code``.

    Threads of temporalio may still call into Python. Such a call during the interpreter's teardown aborts the process and
    changes the exit code. So the teardown is skipped if temporalio is loaded.
    """
    if "temporalio" not in sys.modules:
        sys.exit(code)
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # the stream is closed
            stream.flush()
    os._exit(code)
