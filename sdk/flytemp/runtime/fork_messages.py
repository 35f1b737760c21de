"""Messages between a worker and a fork server (`flytemp.runtime.fork_server`): JSON objects on a SOCK_SEQPACKET socket.

The worker sends requests, and the fork server answers each `Load`, `Fork` and `Reap`, in their order. `Ended` is sent when a
forked process has ended.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, TypeAdapter

from flytemp.runtime.invocation import RuntimeModel
from flytemp.runtime.preparation import Preparation

MAX_MESSAGE_BYTES = 64 * 1024


class Load(RuntimeModel):
    """Request to import the module of the tasks; the answer is `Loaded`."""

    do: Literal["load"] = "load"
    preparation: Preparation


class Fork(RuntimeModel):
    """Request to fork a process, with its control socket and the pipe of its output as descriptors; the answer is `Forked`."""

    do: Literal["fork"] = "fork"
    marker: str  # value of the guard's variable in the process; as long as that of the fork server


class Reap(RuntimeModel):
    """Request to end everything that the ended process ``pid`` left, and to release the pid; the answer is `Reaped`."""

    do: Literal["reap"] = "reap"
    pid: int


class Ready(RuntimeModel):
    """Report that the fork server accepts requests. ``obstacle`` is the reason why processes cannot be forked here."""

    event: Literal["ready"] = "ready"
    obstacle: str | None = None


class Loaded(RuntimeModel):
    """Report that the module was imported.

    Attributes:
        obstacle: reason why the tasks of the module must not be forked from this process; None if they may be.
        failed: whether the reason is an error of the import, which may not occur again.
    """

    event: Literal["loaded"] = "loaded"
    obstacle: str | None = None
    failed: bool = False


class Forked(RuntimeModel):
    """Report of a new process. Without a ``pid``, the system refused it with ``error``."""

    event: Literal["forked"] = "forked"
    pid: int | None = None
    error: str = ""


class Ended(RuntimeModel):
    """Report that a process ended, by ``signal`` or with ``code``. It keeps its pid until `Reap`."""

    event: Literal["ended"] = "ended"
    pid: int
    code: int | None = None
    signal: int | None = None


class Reaped(RuntimeModel):
    """Report that nothing is left of a process."""

    event: Literal["reaped"] = "reaped"
    pid: int


Request: TypeAlias = Load | Fork | Reap
Report: TypeAlias = Ready | Loaded | Forked | Ended | Reaped

REQUESTS: TypeAdapter[Request] = TypeAdapter(Annotated[Request, Field(discriminator="do")])
REPORTS: TypeAdapter[Report] = TypeAdapter(Annotated[Report, Field(discriminator="event")])
