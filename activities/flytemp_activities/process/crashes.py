"""What the end of a task's process means: reported as what it was."""

from __future__ import annotations

import re
import signal

from flytemp.runtime.invocation import TaskError
from flytemp_activities.process.child import Exit

_SHUTDOWN_SIGNALS = frozenset({signal.SIGTERM, signal.SIGHUP, signal.SIGINT})


class OomCounter:
    """How often the kernel killed a process of this control group because memory ran out."""

    def __init__(self) -> None:
        self._path, self._name = _counter_file()

    def current(self) -> int:
        """The count now; compare two of them."""
        try:
            with open(self._path) as file:
                found = re.search(rf"^{self._name} (\d+)$", file.read(), re.MULTILINE)
        except OSError:
            return 0
        return int(found[1]) if found else 0


def _counter_file() -> tuple[str, str]:
    """The file with the counter that is nearest to this process, and the counter's name in it."""
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


def is_shutdown(end: Exit) -> bool:
    """Whether the process was asked from outside to go, as a machine does with all its processes when it shuts down."""
    return end.signal in _SHUTDOWN_SIGNALS


def crash_error(end: Exit, *, out_of_memory: bool, channel_was_lost: bool) -> TaskError:
    """The user's error for a task whose process ended before it returned a result."""
    if end.signal == signal.SIGKILL and out_of_memory:
        code, message = "OutOfMemory", "the task's process was killed because memory ran out (signal 9)"
    elif end.signal == signal.SIGKILL and channel_was_lost:
        code, message = "Crashed", "the task closed the file descriptors of the process that runs it, and was killed"
    elif end.signal == signal.SIGKILL:
        code, message = "Killed", "the task's process was killed from outside (signal 9)"
    elif end.signal is not None:
        code, message = "Crashed", f"the task's process died: {end}"
    elif end.code is not None:
        code, message = "Exited", f"the task's process exited with code {end.code} before it returned a result"
    else:
        code, message = "Crashed", "the task's process is gone, and how it ended was not seen"
    return TaskError(kind="USER", code=code, message=message)
