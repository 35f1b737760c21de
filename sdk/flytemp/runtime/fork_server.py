"""Parent of forked tasks: ``python -P -m flytemp.runtime.fork_server <control descriptor> <worker's pid> <guard's variable>``.

A fork server imports flytemp's runtime and one module of the user, and forks a process for each task of that module. The process
has the imports, and no state of another task. The fork server opens no store, starts no thread and runs no task. Its messages
are in `flytemp.runtime.fork_messages`.

The fork server is the parent of every process that its tasks leave behind, and ends them. It ends when the worker closes the
socket or ends itself; the system then kills the forked processes.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import select
import signal
import socket
import sys
import time
import warnings
from pathlib import Path

from flytemp.runtime import process_tree
from flytemp.runtime.fork_messages import (
    MAX_MESSAGE_BYTES,
    REQUESTS,
    Ended,
    Fork,
    Forked,
    Load,
    Loaded,
    Ready,
    Reap,
    Reaped,
    Report,
)
from flytemp.runtime.fork_safety import ProcessSnapshot, child_processes, obstacle
from flytemp.runtime.forks import ForkedChildrenEndHere
from flytemp.runtime.guard_marker import GuardMarker
from flytemp.runtime.preparation import Preparation, import_program, import_runtime
from flytemp.runtime.random_numbers import RandomNumbers
from flytemp.runtime.serve import Control, configure_output, flush, serve_once

_ORPHANS_PAUSE_SECONDS = 0.002
_ORPHANS_SECONDS = 10.0  # a process in the kernel, such as one that waits for a disk, ends later


class ForkServer:
    """Loop of a fork server. The messages of the worker and the ends of the forked processes wake it."""

    def __init__(self, control: socket.socket, marker: GuardMarker) -> None:
        self._control = control
        self._marker = marker
        self._random = RandomNumbers()
        self._children: dict[int, int] = {}  # pidfd -> pid, of processes that have not ended
        self._ended: set[int] = set()  # pids of processes that have ended and are not reaped
        self._poll = select.poll()
        self._poll.register(control, select.POLLIN)

    def run(self) -> None:
        """Serve requests until the worker closes the socket."""
        shown = self._marker.is_replaceable
        self._send(Ready(obstacle=None if shown else "the system does not show the environment of a process"))
        while True:
            for descriptor, _ in self._poll.poll():
                if descriptor != self._control.fileno():
                    self._on_end(descriptor)
                elif not self._serve_request():
                    return

    def _send(self, report: Report) -> None:
        self._control.send(report.model_dump_json().encode())

    def _serve_request(self) -> bool:
        """Serve a request; return False if the worker has closed the socket."""
        data, descriptors, _, _ = socket.recv_fds(self._control, MAX_MESSAGE_BYTES, 2)
        if not data:
            return False
        match REQUESTS.validate_json(data):
            case Load(preparation=preparation):
                self._send(self._load(preparation))
            case Fork(marker=marker):
                self._fork(marker, descriptors)
            case Reap(pid=pid):
                self._reap(pid)
        return True

    def _load(self, preparation: Preparation) -> Loaded:
        """Import the program. After an error, the task's own process repeats the import and reports the error."""
        before = ProcessSnapshot.take()
        try:
            with ForkedChildrenEndHere():
                import_program(preparation)
        except BaseException as error:  # noqa: BLE001 - user code may raise any exception
            return Loaded(obstacle=f"it cannot be imported: {type(error).__name__}", failed=True)
        program = None if preparation.bundle is None else Path(preparation.bundle).resolve()
        found = obstacle(before, Path(preparation.work), program)
        if found is None and not self._marker.is_replaceable:
            found = "importing it hides or overwrites the environment of the process"
        self._random.imported()
        gc.freeze()  # a collection in a forked process would copy the memory of every object
        _flush_output()
        return Loaded(obstacle=found)

    def _fork(self, marker: str, descriptors: list[int]) -> None:
        control, output = descriptors
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # threads that survive a fork are admitted, see `fork_safety`
                pid = os.fork()
        except OSError as error:
            os.close(control)
            os.close(output)
            self._send(Forked(error=str(error)))
            return
        if pid == 0:
            self._become_task(marker, control, output)
        os.close(control)
        os.close(output)
        pidfd = os.pidfd_open(pid)
        self._children[pidfd] = pid
        self._poll.register(pidfd, select.POLLIN)
        self._send(Forked(pid=pid))

    def _become_task(self, marker: str, control: int, output: int) -> None:
        """Run a task in the forked process, which ends here."""
        try:
            os.setsid()
            process_tree.die_with(_server_pid)
            process_tree.adopt_orphans()
            self._marker.replace(marker)
            os.dup2(output, 1)
            os.dup2(output, 2)
            for descriptor in (output, self._control.detach(), *self._children):
                os.close(descriptor)
            self._random.forked()
            serve_once(Control(control))
        except BaseException:  # noqa: BLE001 - the fork server's own loop must not go on in this process
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(1)

    def _on_end(self, pidfd: int) -> None:
        self._poll.unregister(pidfd)
        pid = self._children.pop(pidfd)
        os.close(pidfd)
        self._ended.add(pid)
        code = number = None
        with contextlib.suppress(ChildProcessError):
            # The process stays a zombie: no other process gets its pid while the worker ends what it left.
            found = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
            assert found is not None
            if found.si_code in (os.CLD_KILLED, os.CLD_DUMPED):
                number = found.si_status
            else:
                code = found.si_status
        self._send(Ended(pid=pid, code=code, signal=number))

    def _reap(self, pid: int) -> None:
        """End the orphans of the processes that have ended, and release the pid of one.

        Orphans of a living process have that process as their parent. The end of an orphan may make its own children orphans.
        """
        known = {*self._children.values(), *self._ended}
        deadline = time.monotonic() + _ORPHANS_SECONDS
        while (orphans := child_processes() - known) and time.monotonic() < deadline:
            for orphan in orphans:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(orphan, signal.SIGKILL)
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(orphan, os.WNOHANG)
            if child_processes() - known:
                time.sleep(_ORPHANS_PAUSE_SECONDS)
        if pid in self._ended:
            self._ended.discard(pid)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
        self._send(Reaped(pid=pid))


_server_pid = os.getpid()


def _flush_output() -> None:
    """Write buffered output, which the forked processes would repeat."""
    flush((sys.stdout, sys.stderr))
    ctypes.CDLL(None).fflush(None)


def main(arguments: list[str]) -> None:
    process_tree.die_with(int(arguments[1]))
    process_tree.adopt_orphans()
    configure_output()
    import_runtime()
    control = socket.socket(fileno=int(arguments[0]))
    control.set_inheritable(False)
    ForkServer(control, GuardMarker(arguments[2])).run()


if __name__ == "__main__":
    main(sys.argv[1:])
