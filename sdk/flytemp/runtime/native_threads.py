"""Threads of a process as the kernel shows them: their names, the libraries that run in them, and the locks they wait for.

Everything is read from ``/proc``. On a system without it, or without the permission to read it, there is no information.
"""

from __future__ import annotations

import os
import platform
import re
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_STACK_BYTES = 16 * 1024
_FUTEX = {"x86_64": 202, "aarch64": 98}.get(platform.machine())
_FUTEX_WAIT, _FUTEX_WAIT_BITSET, _FUTEX_PRIVATE = 0, 9, 128
_FUTEX_FLAGS = 256  # FUTEX_CLOCK_REALTIME
_BASE_LIBRARY = re.compile(
    r"(libc|libpthread|ld|ld-linux|libm|libstdc\+\+|libgcc_s|libc\+\+)[-.\d].*|ld-musl.*|\[v(dso|syscall)\]"
)


@dataclass(frozen=True, slots=True)
class NativeThread:
    """Thread of a process.

    Attributes:
        name: name that its program gave to it.
        library: file name of the innermost program or library, except the C and C++ libraries, on its stack; "" if unknown.
        is_python: true if ``library`` is the Python interpreter itself.
        waits_for_lock: whether it waits, without a time limit, for a lock of this process alone.
    """

    name: str
    library: str
    is_python: bool
    waits_for_lock: bool


@dataclass(frozen=True, slots=True)
class _Code:
    start: int
    end: int
    path: str


def thread_ids(pid: int) -> list[int]:
    """Return the ids of the threads of a process; an empty list if the process is not readable."""
    try:
        return sorted(int(name) for name in os.listdir(f"/proc/{pid}/task"))
    except OSError:
        return []


def native_threads(pid: int, ids: Sequence[int]) -> list[NativeThread]:
    """Return the given threads of a process, without those that ended or are not readable."""
    try:
        code = _code_of(pid)
        with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
            found = [_thread(pid, thread, code, memory.fileno()) for thread in ids]
    except OSError:
        return []
    return [thread for thread in found if thread is not None]


def _thread(pid: int, thread: int, code: Sequence[_Code], memory: int) -> NativeThread | None:
    folder = Path(f"/proc/{pid}/task/{thread}")
    try:
        name = (folder / "comm").read_text(errors="replace").strip()
        call = (folder / "syscall").read_text().split()
        stack = os.pread(memory, _STACK_BYTES, int(call[-2], 16)) if len(call) >= 3 else b""
    except (OSError, OverflowError):
        return None
    library = _innermost(stack, code)
    return NativeThread(name, os.path.basename(library), _is_python(library), _waits_for_lock(call))


def _waits_for_lock(call: Sequence[str]) -> bool:
    """Return whether the line of ``/proc/…/syscall`` is a wait for a futex of this process alone, without a time limit."""
    if len(call) != 9 or int(call[0]) != _FUTEX:
        return False
    operation, timeout = int(call[2], 16), int(call[4], 16)
    kind = operation & ~(_FUTEX_PRIVATE | _FUTEX_FLAGS)
    return kind in (_FUTEX_WAIT, _FUTEX_WAIT_BITSET) and bool(operation & _FUTEX_PRIVATE) and timeout == 0


def _code_of(pid: int) -> list[_Code]:
    """Return the mapped code of a process."""
    found = []
    with open(f"/proc/{pid}/maps") as file:
        for line in file:
            fields = line.split(maxsplit=5)
            if "x" in fields[1] and len(fields) == 6:
                start, _, end = fields[0].partition("-")
                found.append(_Code(int(start, 16), int(end, 16), fields[5].strip()))
    return found


def _innermost(stack: bytes, code: Sequence[_Code]) -> str:
    """Return the file of the first address on the stack that is in code, except that of the C and C++ libraries."""
    count = len(stack) // 8
    for address in struct.unpack(f"={count}Q", stack[: count * 8]):
        for part in code:
            if part.start <= address < part.end:
                if not _BASE_LIBRARY.fullmatch(os.path.basename(part.path)):
                    return part.path
                break
    return ""


def _is_python(path: str) -> bool:
    name = os.path.basename(path)
    return path == os.path.realpath(sys.executable) or re.match(r"(lib)?python\d", name) is not None
