"""The main program of a task's container: ``python3 -P -m flytemp.runtime.pod``.

What to run is in the variable ``FLYTEMP_INVOCATION`` (compressed, base64), or in the store at ``FLYTEMP_INVOCATION_KEY``. The try
is claimed with the pod's uid. Exit codes: 0 after a success, 1 after a failure of the task, of which the result is committed;
143 after TERM; 70 when the try could not do its work, and not through the user's fault: then the container's last
word (``/dev/termination-log``) says why, for a worker that may not read it from the store.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import threading
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

# Nothing else is imported before TERM is heard of: a container's first process ignores what it has no handler for.
from flytemp.runtime import termination

if TYPE_CHECKING:
    from flytemp.runtime.invocation import Invocation, TaskError, TaskResult
    from flytemp.store.object_store import ObjectStore

FAILED, PLATFORM, TERMINATED = 1, 70, 143
LAST_WORD = Path("/dev/termination-log")
LAST_WORD_BYTES = 4_000
"""Kubernetes keeps 4,096 bytes of a container's last word."""

EXIT_SECONDS = 10.0
"""A thread that the user's code left running may hold the process so long after the result was committed."""


def main() -> NoReturn:
    """Run the try and leave."""
    termination.raise_on_term()
    try:
        code = _run(os.environ)
    except termination.Terminated:
        print("flytemp: the container was asked to stop before the task was done", file=sys.stderr)
        code = TERMINATED
    _leave(code)


def _run(environment: Mapping[str, str]) -> int:
    wrong = other_protocol(environment.get("FLYTEMP_PROTOCOL", ""))
    if wrong is not None:
        return last_word(wrong)
    from flytemp.errors import FlytempError
    from flytemp.runtime.execute import execute
    from flytemp.runtime.failures import TryFailed
    from flytemp.runtime.invocation import TaskError
    from flytemp.store import open_store

    try:
        store = open_store(environment["FLYTEMP_STORE"])
        invocation = read_invocation(environment, store)
        with termination.interruptible():
            pass  # a container that is to stop already claims nothing
        result = execute(invocation, store, owner=environment["FLYTEMP_POD_UID"])
    except TryFailed as failure:
        return last_word(failure.error)
    except FlytempError as error:
        return last_word(TaskError.of_platform(error))
    except KeyError as missing:
        text = f"the container lacks the variable {missing.args[0]}: it was not started by a flytemp worker"
        return last_word(TaskError.of("NoInvocation", text))
    if result is None:
        return last_word(TaskError.of("Claimed", "another container has claimed the try"))
    return _told(result)


def read_invocation(environment: Mapping[str, str], store: ObjectStore) -> Invocation:
    """The invocation, from its variable or from the store.

    Raises:
        KeyError: neither is named.
        StoreError: the store cannot be read.
    """
    from flytemp.runtime.invocation import Invocation

    if key := environment.get("FLYTEMP_INVOCATION_KEY"):
        data = store.read(key)
    else:
        data = zlib.decompress(base64.b64decode(environment["FLYTEMP_INVOCATION"]))
    return Invocation.read(data)


def other_protocol(spoken: str) -> TaskError | None:
    """The worker and this image must speak the same protocol: said with both, before anything is parsed."""
    from flytemp.runtime.invocation import PROTOCOL_VERSION, TaskError

    if spoken == str(PROTOCOL_VERSION):
        return None
    from importlib.metadata import PackageNotFoundError, version

    try:
        own = version("flytemp")
    except PackageNotFoundError:
        own = "unknown"
    text = (
        f"the worker speaks version {spoken or 'none'} of the protocol with tasks, and the image (flytemp {own}) speaks "
        f"{PROTOCOL_VERSION}: use an image with the flytemp version of the worker"
    )
    return TaskError.of("ProtocolMismatch", text)


def _told(result: TaskResult) -> int:
    """What people read in the pod's log. The result itself is in the store."""
    if result.error is None:
        return 0
    print(result.error.traceback or f"{result.error.code}: {result.error.message}", file=sys.stderr)
    return FAILED


def last_word(error: TaskError) -> int:
    """Leave why the try failed where Kubernetes keeps it, and in the log."""
    print(f"flytemp: {error.code}: {error.message}", file=sys.stderr)
    shortened = error.model_copy(update={"message": error.message[:2_000], "traceback": ""})
    word = json.dumps({"flytemp": shortened.model_dump()}, separators=(",", ":"))
    try:
        LAST_WORD.write_bytes(word.encode()[:LAST_WORD_BYTES])
    except OSError as unwritten:  # the log has it
        print(f"flytemp: the last word could not be written: {unwritten}", file=sys.stderr)
    return PLATFORM


def _leave(code: int) -> NoReturn:
    """In the ordinary way, exit handlers included, but not later than a moment from now."""
    sys.stdout.flush()
    sys.stderr.flush()
    timer = threading.Timer(EXIT_SECONDS, os._exit, [code])
    timer.daemon = True
    timer.start()
    raise SystemExit(code)


if __name__ == "__main__":
    main()
