"""The variable of the environment by which a worker's guard finds the processes of a task, in a forked process.

The system shows the environment with which a program was started (``/proc/<pid>/environ``), also for the processes that the
program forks. A forked process therefore overwrites the variable's value where the program received it, in its own copy.
"""

from __future__ import annotations

import ctypes
import os


class GuardMarker:
    """Variable ``name`` of this process, whose value can be replaced by another one of the same length."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._value = os.environ.get(name, "").encode()
        getenv = ctypes.CDLL(None).getenv
        getenv.restype = ctypes.c_void_p
        getenv.argtypes = [ctypes.c_char_p]
        self._address: int | None = getenv(name.encode())

    @property
    def is_replaceable(self) -> bool:
        """True if the system shows the variable, so that `replace` has an effect."""
        return bool(self._address and self._value) and self._is_shown(self._value)

    def replace(self, value: str) -> None:
        """Replace the value, for this process and the programs that it starts.

        Raises:
            ValueError: the value has another length.
            OSError: the system does not show the new value.
        """
        new = value.encode()
        if self._address is None or len(new) != len(self._value):
            raise ValueError(f"the marker {value!r} is not as long as {self._value!r}")
        ctypes.memmove(self._address, new, len(new))
        os.environ[self._name] = value
        if not self._is_shown(new):
            raise OSError(f"the variable {self._name} of this process cannot be replaced")

    def _is_shown(self, value: bytes) -> bool:
        try:
            with open("/proc/self/environ", "rb") as file:
                return f"{self._name}=".encode() + value in file.read().split(b"\0")
        except OSError:
            return False
