"""The entry point: parse, run one command, turn whatever happens into a message and an exit code."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from flytemp_cli.failures import EXIT_BROKEN_PIPE, EXIT_INTERRUPTED, report
from flytemp_cli.lazy_imports import Entry, LazyGroup
from flytemp_cli.options import Session, version_option
from flytemp_cli.output import ReaderGone

PROGRAM = "flytemp"

_PROJECT = "Write and try"
_REGISTRY = "Register and look"
_EXECUTIONS = "Executions"
_OPERATE = "Operate"

# The texts stand here and not in the modules, so that listing the commands imports none of them.
COMMANDS = {
    "init": Entry("flytemp_cli.commands.init", "Create a project: a workflow, its test, a configuration", _PROJECT),
    "dev": Entry("flytemp_cli.commands.dev", "Run Temporal, its UI, a worker and a store on this machine", _PROJECT),
    "check": Entry("flytemp_cli.commands.check", "Compile and validate, without a server", _PROJECT),
    "run": Entry("flytemp_cli.commands.run", "Register, launch and follow a workflow of a file in one go", _PROJECT),
    "graph": Entry("flytemp_cli.commands.graph", "Draw a workflow as Mermaid, Graphviz dot or SVG", _PROJECT),
    "register": Entry("flytemp_cli.commands.register", "Compile, bundle the code, and store it under a version", _REGISTRY),
    "list": Entry("flytemp_cli.commands.list", "List executions, waiting gates, workflows, tasks or launch plans", _REGISTRY),
    "get": Entry("flytemp_cli.commands.get", "Show one execution, workflow, task or launch plan", _REGISTRY),
    "launch": Entry("flytemp_cli.commands.launch", "Start an execution of something registered", _EXECUTIONS),
    "logs": Entry("flytemp_cli.commands.logs", "Print what the tasks of an execution wrote", _EXECUTIONS),
    "approve": Entry("flytemp_cli.commands.approve", "Let a gate pass that waits for an approval", _EXECUTIONS),
    "reject": Entry("flytemp_cli.commands.reject", "Have a gate fail that waits for an approval", _EXECUTIONS),
    "set-input": Entry("flytemp_cli.commands.set_input", "Give a gate the value that it waits for", _EXECUTIONS),
    "pause": Entry("flytemp_cli.commands.pause", "Start nothing new in an execution for now", _EXECUTIONS),
    "resume": Entry("flytemp_cli.commands.resume", "Let a paused execution go on", _EXECUTIONS),
    "retry": Entry("flytemp_cli.commands.retry", "Try again what failed of an execution", _EXECUTIONS),
    "cancel": Entry("flytemp_cli.commands.cancel", "Ask an execution to stop, and let it clean up", _EXECUTIONS),
    "terminate": Entry("flytemp_cli.commands.terminate", "Stop an execution at once", _EXECUTIONS),
    "setup": Entry("flytemp_cli.commands.setup", "Prepare an existing Temporal and store; safe to repeat", _OPERATE),
    "janitor": Entry("flytemp_cli.commands.janitor", "Remove the pods that nobody looks after", _OPERATE),
    "worker": Entry("flytemp_cli.commands.worker", "Run a worker until TERM or Ctrl-C, which drain it", _OPERATE),
    "config": Entry("flytemp_cli.commands.config", "Show the configuration and where each value comes from", _OPERATE),
    "completion": Entry("flytemp_cli.commands.completion", "Print the shell's completion script", _OPERATE),
    "version": Entry("flytemp_cli.commands.version", "Print the versions of flytemp and of what it stands on", _OPERATE),
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
        "  flytemp dev                                   (in a terminal of its own)\n"
        "  flytemp run src/workflows.py word_statistics"
    ),
    epilog=(
        "Data goes to stdout, everything else to stderr. Exit codes: 0 ok, 1 error, 2 usage, 3 the execution failed, "
        "4 it was cancelled or terminated, 5 waiting timed out, 130 Ctrl-C."
    ),
)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line, print what went wrong if something did, and return the exit code."""
    session = Session()
    try:
        result: Any = cli.main(
            args=None if arguments is None else list(arguments), prog_name=PROGRAM, standalone_mode=False, obj=session
        )
        sys.stdout.flush()
    except (BrokenPipeError, ReaderGone):
        # Nobody is left to tell, and flushing at exit must not try.
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
    except OSError:  # a test's stream has none
        return
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, descriptor)
    os.close(devnull)


def main() -> NoReturn:
    """The console script."""
    _leave(run())


def _leave(code: int) -> NoReturn:
    """End the process with ``code``.

    temporalio's own threads may still call into Python, and an interpreter that is being torn down aborts the process
    on them, which would lose the exit code. So once temporalio is loaded the teardown is left out.
    """
    if "temporalio" not in sys.modules:
        sys.exit(code)
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # nobody reads it any more, or it is closed
            stream.flush()
    os._exit(code)
