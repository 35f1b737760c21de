"""Protection of the worker's environment and memory against the tasks, which run under the same user account.

Linux shows the environment with which a program was started in ``/proc/<pid>/environ``, and the memory of a process in
``/proc/<pid>/mem``, to the processes of the same user. A process that is not dumpable is hidden from all but privileged ones. For
these, such as root, the initial environment is erased as well: the variables move to other memory of the process.

A privileged task can still read the memory of the worker.
"""

from __future__ import annotations

import ctypes
import logging
import os
import sys

from flytemp.runtime.host import stat_fields
from flytemp_activities.process.guard import hide_memory

_ENVIRONMENT_START = 47  # indexes in `stat_fields`
_ENVIRONMENT_END = 48

_log = logging.getLogger(__name__)


def protect_process() -> None:
    """Hide the memory and the initial environment of this process. ``os.environ`` and `getenv` keep their values.

    The process leaves no core dump afterwards. The function has no effect on systems other than Linux.
    """
    if sys.platform != "linux":
        return
    try:
        _erase_initial_environment()
    except (OSError, ValueError, IndexError) as error:
        _log.warning("the environment of this worker remains visible to tasks of privileged users: %s", error)
    hide_memory()


def _erase_initial_environment() -> None:
    fields = stat_fields("self")
    start, end = int(fields[_ENVIRONMENT_START]), int(fields[_ENVIRONMENT_END])
    if not 0 < start < end:
        return
    for name, value in list(os.environ.items()):
        os.environ[name] = value  # `setenv` copies the variable
    ctypes.memset(start, 0, end - start)
