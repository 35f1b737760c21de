"""Identity of this machine and of its processes. A pid alone is not enough: it is reused."""

from __future__ import annotations

import functools
import os
import socket


@functools.cache
def host_identity() -> str:
    """Return the identity of the machine, which is equal for two processes exactly if they see each other's pids.

    It consists of the host name, the boot of the machine and the pid namespace (container).
    """
    parts = [socket.gethostname()]
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            parts.append(file.read().strip())
        parts.append(os.readlink("/proc/self/ns/pid"))
    except OSError:
        pass  # not Linux: only the host name is available
    return "/".join(parts)


def stat_fields(process: str) -> list[bytes]:
    """Return the fields of ``/proc/<process>/stat`` from the state on; the third field of the file has the index 0.

    Raises:
        OSError: there is no such process, or no ``/proc``.
    """
    with open(f"/proc/{process}/stat", "rb") as file:
        data = file.read()
    # The name of the command may contain spaces and parentheses: the state follows the last ")".
    return data[data.rfind(b")") + 2 :].split()


def process_started(pid: int) -> str:
    """Return the start of ``pid`` in clock ticks since boot; "" if it is not a living process, or not on Linux."""
    try:
        fields = stat_fields(str(pid))
    except OSError:
        return ""
    return "" if fields[0] in (b"Z", b"X") else fields[19].decode()


def is_alive(pid: int, started: str) -> bool:
    """Return whether the process with ``pid`` and the start time ``started`` (see `process_started`) is alive."""
    if started:
        return process_started(pid) == started
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
