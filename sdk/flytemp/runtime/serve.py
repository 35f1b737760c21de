"""Main loop of a warm process: ``python -P -m flytemp.runtime.serve <control descriptor> <parent's pid>``.

The parent sends orders and receives messages, each a JSON object on a line::

    order     {"nonce", "owner", "scratch", "bundles", "invocation"}
    message   {"event": "ready"}
              {"event": "claimed"}
              {"event": "done", "nonce", "reusable": bool, "outcome": "committed"}  the store has a result of the attempt
                                                                      "unclaimed"  another process has the try
                                                                      "failed", "error": TaskError

Output of the user's code goes to the descriptors 1 and 2, which are one pipe. After a task the line ``\\0flytemp:<nonce>`` is
written there, which separates the output of two tasks. When the parent closes the control descriptor, the process ends and runs
its exit handlers.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import IO, Any

from flytemp.runtime import process_tree
from flytemp.runtime.execute import ExecutionOptions, execute
from flytemp.runtime.failures import TryFailed
from flytemp.runtime.invocation import Invocation, TaskError
from flytemp.runtime.user_errors import user_error
from flytemp.store import open_store


class _Control:
    """This end of the socket to the parent. No thread reads it, because the user's code may fork."""

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
        for stream in {sys.stdout, sys.stderr, *self._streams}:
            # The task may have closed or replaced a stream.
            with contextlib.suppress(ValueError, OSError, AttributeError):
                stream.flush()
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
        """Undo the changes of a task. Return False if it left threads or processes, so that this process must not be reused."""
        os.chdir(self._folder)
        if dict(os.environ) != self._environment:
            os.environ.clear()
            os.environ.update(self._environment)
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._handlers.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)
        return not _left_threads() and not _left_processes()


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


def _answer(order: dict[str, Any], control: _Control) -> dict[str, Any]:
    """Execute the order; return the outcome for the message, and its error."""
    try:
        invocation = Invocation.read(order["invocation"])
        options = ExecutionOptions(
            scratch=Path(order["scratch"]),
            bundles=Path(order["bundles"]),
            on_claim=lambda: control.send('{"event": "claimed"}'),
        )
        result = execute(
            invocation, open_store(invocation.store), owner=order["owner"], options=options
        )
    except TryFailed as failure:
        return {"outcome": "failed", "error": failure.error.model_dump()}
    except Exception as error:  # noqa: BLE001 - a bug of flytemp must not be charged to the user
        described = user_error(error)
        text = f"flytemp's runtime failed: {described.code}: {described.message}"
        return {"outcome": "failed", "error": TaskError(kind="SYSTEM", code="FlytempBug", message=text).model_dump()}
    if result is None:
        return {"outcome": "unclaimed"}
    return {"outcome": "committed"}


def serve(control: _Control) -> None:
    """Execute orders until the parent closes the control descriptor."""
    state = _ProcessState()
    control.send('{"event": "ready"}')
    while (order := control.next_order()) is not None:
        answer = _answer(order, control)
        state.close_task(order["nonce"])
        reusable = state.restore()
        control.send(json.dumps({"event": "done", "nonce": order["nonce"], "reusable": reusable, **answer}))


def main(arguments: list[str]) -> None:
    descriptor, expected_parent = int(arguments[0]), int(arguments[1])
    process_tree.die_with(expected_parent)
    process_tree.adopt_orphans()
    faulthandler.enable()
    for stream in (sys.stdout, sys.stderr):
        # Followers of the log need each line as it is written. A text that cannot be encoded must not break the output.
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    serve(_Control(descriptor))


if __name__ == "__main__":
    main(sys.argv[1:])
