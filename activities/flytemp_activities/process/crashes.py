"""Errors for the ends of tasks' processes."""

from __future__ import annotations

import re
import signal

from flytemp.runtime.invocation import TaskError
from flytemp_activities.process.child import Exit

_SHUTDOWN_SIGNALS = frozenset({signal.SIGTERM, signal.SIGHUP, signal.SIGINT})
"""Signals that a machine sends to all processes when it shuts down."""


class OomCounter:
    """Count of the processes that the kernel killed because memory ran out, in the control group of this worker.

    A growing count is the evidence of `OutOfMemory`. The count is per control group, not per process: if another process of the
    group is killed for memory while a task's process is killed for another reason, the task gets the blame. Without control
    groups the count is the machine's; without ``/proc`` it is always 0, and a kill for memory is reported as `Killed`.
    """

    def __init__(self) -> None:
        self._path, self._name = _counter_file()

    def current(self) -> int:
        """Return the count now."""
        try:
            with open(self._path) as file:
                found = re.search(rf"^{self._name} (\d+)$", file.read(), re.MULTILINE)
        except OSError:
            return 0
        return int(found[1]) if found else 0


def _counter_file() -> tuple[str, str]:
    """Return the file of the counter that covers the fewest processes, and the name of the counter in it."""
    for path, name in [*_group_files(), ("/proc/vmstat", "oom_kill")]:
        try:
            with open(path) as file:
                if re.search(rf"^{name} \d+$", file.read(), re.MULTILINE):
                    return path, name
        except OSError:
            continue
    return "/proc/vmstat", "oom_kill"


def _group_files() -> list[tuple[str, str]]:
    try:
        with open("/proc/self/cgroup") as file:
            lines = [line.strip().split(":", 2) for line in file]
    except OSError:
        return []
    files = []
    for _, controllers, path in lines:
        if not controllers:
            # In a container the group's own folder may be mounted as the root.
            files += [(f"/sys/fs/cgroup{path.rstrip('/')}/memory.events", "oom_kill")]
            files += [("/sys/fs/cgroup/memory.events", "oom_kill")]
        elif "memory" in controllers.split(","):
            files += [(f"/sys/fs/cgroup/memory{path.rstrip('/')}/memory.oom_control", "oom_kill")]
            files += [("/sys/fs/cgroup/memory/memory.oom_control", "oom_kill")]
    return files


def crash_error(end: Exit, *, out_of_memory: bool, violation: str = "") -> TaskError:
    """Return the error of a task whose process ended before it returned a result.

    Args:
        end: exit code or signal of the process.
        out_of_memory: evidence that the kernel killed a process for memory while the task ran; see `OomCounter`.
        violation: the act of the task for which the worker killed the process, such as closing its control channel.
    """
    if end.deadlock:
        text = f"the task waited for ever for a lock in {end.deadlock}, which does not work in a process that was forked"
        return TaskError.of("ForkDeadlock", f"{text}; later tasks of its module get fresh processes")
    if end.signal == signal.SIGKILL and violation:
        return TaskError.of("Crashed", f"{violation}; the process was killed")
    if end.signal == signal.SIGKILL and out_of_memory:
        return TaskError.of("OutOfMemory", "the task's process was killed because memory ran out (signal 9)")
    if end.signal == signal.SIGKILL:
        return TaskError.of("Killed", "the task's process was killed from outside (signal 9)")
    if end.signal in _SHUTDOWN_SIGNALS:
        return TaskError.of("Lost", f"the task's process was ended from outside: {end}")
    if end.signal is not None:
        return TaskError.of("Crashed", f"the task's process died: {end}")
    if end.code is not None:
        return TaskError.of("Exited", f"the task's process exited with code {end.code} before it returned a result")
    return TaskError.of("Lost", "the task's process is gone, and its exit status is not known")
