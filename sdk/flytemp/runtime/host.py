"""Which machine this is, and which process a pid means: a pid alone is soon another process."""

from __future__ import annotations

import functools
import os
import socket


@functools.cache
def host_identity() -> str:
    """Equal for two processes exactly when they see each other's pids.

    That is: the same host name, the same boot of the machine and the same pid namespace (container).
    """
    parts = [socket.gethostname()]
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            parts.append(file.read().strip())
        parts.append(os.readlink("/proc/self/ns/pid"))
    except OSError:
        pass  # not Linux: the host name is what there is
    return "/".join(parts)


def process_started(pid: int) -> str:
    """When ``pid`` was started, in clock ticks since boot; "" when it is no living process, or not on Linux."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            stat = file.read()
    except OSError:
        return ""
    # The command's name may hold spaces and parentheses: what follows its last ")" is regular.
    fields = stat[stat.rfind(b")") + 2 :].split()
    return "" if fields[0] in (b"Z", b"X") else fields[19].decode()


def is_alive(pid: int, started: str) -> bool:
    """Whether the process that was ``pid`` at time ``started`` (see `process_started`) still lives."""
    if started:
        return process_started(pid) == started
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
