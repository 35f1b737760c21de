"""Main loop of a task's process: ``python -P -m flytemp.runtime.serve <control descriptor> <parent's pid> [<preparation>]``.

The process was started by a worker, or forked by a fork server (`flytemp.runtime.fork_server`). The worker sends orders and
receives messages, each a JSON object on a line::

    order     {"nonce", "owner", "scratch", "bundle", "invocation"}; ``bundle`` is the folder of the unpacked code bundle
    message   {"event": "ready"}
              {"event": "claimed"}
              {"event": "done", "nonce", "reusable": bool, "outcome": "committed"}  the store has a result of the attempt
                                                                      "unclaimed"  another process has the try
                                                                      "failed", "error": TaskError   no result was committed;
                                                                              the worker commits an error of kind USER

A process is not reusable if the task left threads or processes in it, or if the runtime failed.

Output of the user's code goes to the descriptors 1 and 2, which are one pipe. After a task the line ``\\0flytemp:<nonce>`` is
written there, which separates the output of two tasks. When the worker closes the control descriptor, the process ends and runs
its exit handlers. A forked process ends after its task.
"""

from __future__ import annotations

import atexit
import contextlib
import faulthandler
import json
import logging
import os
import select
import signal
import sys
import threading
import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

from flytemp.exhaustion import exhausted_resource
from flytemp.runtime import process_tree
from flytemp.runtime.execute import ExecutionOptions, execute
from flytemp.runtime.failures import TryFailed
from flytemp.runtime.invocation import Invocation, TaskError
from flytemp.runtime.preparation import Preparation, import_program
from flytemp.runtime.rehearsal import rehearse
from flytemp.runtime.user_errors import user_error
from flytemp.store import open_store

_USED_DESCRIPTORS = 0.5  # share of the descriptors that a reusable process may have open


class Control:
    """This end of the socket to the worker. No thread reads it, because the user's code may fork."""

    def __init__(self, descriptor: int) -> None:
        os.set_inheritable(descriptor, False)
        self._descriptor = descriptor
        self._rest = b""

    def next_order(self) -> dict[str, Any] | None:
        """Return the next order; None if there are no more."""
        while b"\n" not in self._rest:
            data = os.read(self._descriptor, 256 * 1024)
            if not data:
                return None
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        order: dict[str, Any] = json.loads(line)
        return order

    @property
    def has_order(self) -> bool:
        """True if an order has arrived."""
        return bool(select.select([self._descriptor], (), (), 0)[0])

    def send(self, message: str) -> None:
        rest = memoryview(message.encode() + b"\n")
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]


class _ProcessState:
    """State of the process before a task, which `restore` restores."""

    def __init__(self) -> None:
        self._output = os.dup(1)
        self._folder = os.getcwd()
        self._environment = dict(os.environ)
        self._handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
        self._streams: tuple[IO[str], IO[str]] = (sys.stdout, sys.stderr)

    def close_task(self, nonce: str) -> None:
        """Flush the output of the task, and write the line that ends it."""
        flush({sys.stdout, sys.stderr, *self._streams})
        os.dup2(self._output, 1)
        os.dup2(self._output, 2)
        self._streams = tuple(  # type: ignore[assignment]
            _stream(number) if stream.closed else stream for number, stream in enumerate(self._streams, start=1)
        )
        sys.stdout, sys.stderr = self._streams
        rest = memoryview(f"\0flytemp:{nonce}\n".encode())
        while rest:
            rest = rest[os.write(self._output, rest) :]

    def restore(self) -> bool:
        """Undo the changes of a task. Return False if it left threads, processes or many open files: the process must end."""
        os.chdir(self._folder)
        if dict(os.environ) != self._environment:
            os.environ.clear()
            os.environ.update(self._environment)
        for number, handler in self._handlers.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)
        return not _left_threads() and not _left_processes() and not _left_descriptors()


def flush(streams: Iterable[IO[str]]) -> None:
    """Flush streams, which the user's code may have closed or replaced."""
    for stream in streams:
        with contextlib.suppress(ValueError, OSError, AttributeError):
            stream.flush()


def _stream(descriptor: int) -> IO[str]:
    return open(descriptor, "w", buffering=1, errors="backslashreplace", closefd=False)


def _left_threads() -> bool:
    """Return whether threads run that would prevent the end of the process."""
    main = threading.main_thread()
    return any(thread is not main and not thread.daemon for thread in threading.enumerate())


def _left_processes() -> bool:
    """Return whether a child or an adopted descendant lives (see `process_tree.adopt_orphans`)."""
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if pid == 0:
            return True


def _left_descriptors() -> bool:
    """Return whether so many descriptors are open that a later task could have too few."""
    try:
        return len(os.listdir("/proc/self/fd")) > _USED_DESCRIPTORS * os.sysconf("SC_OPEN_MAX")
    except OSError as error:
        return not isinstance(error, FileNotFoundError)  # without /proc, the number is not known


def _answer(order: dict[str, Any], control: Control) -> dict[str, Any]:
    """Execute the order; return the outcome for the message, and its error."""
    try:
        invocation = Invocation.read(order["invocation"])
        options = ExecutionOptions(
            scratch=Path(order["scratch"]),
            bundle=Path(order["bundle"]) if "bundle" in order else None,
            on_claim=lambda: control.send('{"event": "claimed"}'),
        )
        result = execute(
            invocation, open_store(invocation.store), owner=order["owner"], options=options
        )
    except Exception as error:  # noqa: BLE001 - a bug of flytemp must not be charged to the user
        return _failure(error)
    if result is None:
        return {"outcome": "unclaimed"}
    return {"outcome": "committed"}


def _failure(error: Exception) -> dict[str, Any]:
    """Return the outcome for an exception of the runtime."""
    return {"outcome": "failed", "error": _task_error(error).model_dump()}


def _task_error(error: Exception) -> TaskError:
    resource = exhausted_resource(error)
    if resource is not None:
        text = f"the task used up its {resource}, so that its result could not be stored: {user_error(error).message}"
        return TaskError.of("ResourcesExhausted", text)
    if isinstance(error, TryFailed):
        return error.error
    described = user_error(error)
    text = f"flytemp's runtime failed: {described.code}: {described.message}"
    return TaskError(kind="SYSTEM", code="FlytempBug", message=text)


def serve(control: Control, *, once: bool = False) -> None:
    """Execute orders until the worker closes the control descriptor; with ``once``, execute one.

    A process in which the task left something does not end by itself: the worker ends it with everything that it started.
    """
    state = _ProcessState()
    control.send('{"event": "ready"}')
    while (order := control.next_order()) is not None:
        answer = _answer(order, control)
        state.close_task(order["nonce"])
        reusable = state.restore() and answer["outcome"] != "failed"
        control.send(json.dumps({"event": "done", "nonce": order["nonce"], "reusable": reusable, **answer}))
        if once and reusable:
            return


def serve_once(control: Control) -> None:
    """Execute one order in a forked process, run the exit handlers of the task, and end the process."""
    _leave_exit_handlers_to_parent()
    if not control.has_order:
        rehearse(Path(f"{os.getcwd()}-{os.getpid()}"))
    serve(control, once=True)
    atexit._run_exitfuncs()
    flush((sys.stdout, sys.stderr))
    os._exit(0)


def _leave_exit_handlers_to_parent() -> None:
    """Forget the exit handlers that were registered before the fork, except those of the standard library.

    The handlers of a module may remove what other tasks still use, such as a temporary directory.
    """
    atexit._clear()
    for inherited in list(getattr(weakref.finalize, "_registry", ())):
        inherited.atexit = False
    weakref.finalize._registered_with_atexit = False  # type: ignore[attr-defined]
    atexit.register(logging.shutdown)
    multiprocessing_exit = getattr(sys.modules.get("multiprocessing.util"), "_exit_function", None)
    if multiprocessing_exit is not None:
        atexit.register(multiprocessing_exit)


def configure_output() -> None:
    """Configure stdout and stderr, whose lines are followed while they are written."""
    faulthandler.enable()
    for stream in (sys.stdout, sys.stderr):
        # A text that cannot be encoded must not break the output.
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]


def main(arguments: list[str]) -> None:
    descriptor, expected_parent = int(arguments[0]), int(arguments[1])
    process_tree.die_with(expected_parent)
    process_tree.adopt_orphans()
    configure_output()
    if len(arguments) > 2:
        import_program(Preparation.read(arguments[2]))
    serve(Control(descriptor))


if __name__ == "__main__":
    main(sys.argv[1:])
