"""Main program of a task's container: ``python3 -P -m flytemp.runtime.pod``.

The invocation is in the variable ``FLYTEMP_INVOCATION`` (compressed, base64), or in the store under the key
``FLYTEMP_INVOCATION_KEY``. The try is claimed with the pod's uid.

The exit code is 0 after a success, 1 after a failure of the task whose result is committed, 143 after TERM, and 70 after a
failure of the platform. In the last case the termination message of the container (``/dev/termination-log``) has the error,
because the error may not be in the store.
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

# The handler of TERM is set before other imports: the first process of a container ignores signals without a handler.
from flytemp.runtime import termination

if TYPE_CHECKING:
    from flytemp.runtime.invocation import Invocation, TaskError, TaskResult
    from flytemp.store.object_store import ObjectStore

FAILED, PLATFORM, TERMINATED = 1, 70, 143
TERMINATION_MESSAGE = Path("/dev/termination-log")
TERMINATION_MESSAGE_BYTES = 4_000
"""Maximum length of the termination message. Kubernetes keeps 4,096 bytes."""

EXIT_SECONDS = 10.0
"""Time after which the process ends although a thread of the user's code still runs."""


def main() -> NoReturn:
    """Run the try and exit."""
    termination.raise_on_term()
    try:
        code = _run(os.environ)
    except termination.Terminated:
        print("flytemp: the container received TERM before the task was done", file=sys.stderr)
        code = TERMINATED
    _exit(code)


def _run(environment: Mapping[str, str]) -> int:
    wrong = other_protocol(environment.get("FLYTEMP_PROTOCOL", ""))
    if wrong is not None:
        return write_termination_message(wrong)
    from flytemp.errors import FlytempError
    from flytemp.runtime.execute import execute
    from flytemp.runtime.failures import TryFailed
    from flytemp.runtime.invocation import TaskError
    from flytemp.store import open_store

    try:
        store = open_store(environment["FLYTEMP_STORE"])
        invocation = read_invocation(environment, store)
        with termination.Interruptible():
            pass  # a container that received TERM already claims nothing
        result = execute(invocation, store, owner=environment["FLYTEMP_POD_UID"])
    except TryFailed as failure:
        return write_termination_message(failure.error)
    except FlytempError as error:
        return write_termination_message(TaskError.of_platform(error))
    except KeyError as missing:
        text = f"the container lacks the variable {missing.args[0]}: it was not started by a flytemp worker"
        return write_termination_message(TaskError.of("NoInvocation", text))
    if result is None:
        return write_termination_message(TaskError.of("Claimed", "another container has claimed the try"))
    return _report(result)


def read_invocation(environment: Mapping[str, str], store: ObjectStore) -> Invocation:
    """Return the invocation, from its variable or from the store.

    Raises:
        KeyError: both variables are missing.
        StoreError: the store cannot be read.
    """
    from flytemp.runtime.invocation import Invocation

    if key := environment.get("FLYTEMP_INVOCATION_KEY"):
        data = store.read(key)
    else:
        data = zlib.decompress(base64.b64decode(environment["FLYTEMP_INVOCATION"]))
    return Invocation.read(data)


def other_protocol(version_of_worker: str) -> TaskError | None:
    """Return an error with both versions if the worker has another protocol than this image; None if it has the same."""
    from flytemp.runtime.invocation import PROTOCOL_VERSION, TaskError

    if version_of_worker == str(PROTOCOL_VERSION):
        return None
    from importlib.metadata import PackageNotFoundError, version

    try:
        own = version("flytemp")
    except PackageNotFoundError:
        own = "unknown"
    text = (
        f"the worker uses version {version_of_worker or 'none'} of the protocol with tasks, and the image (flytemp {own}) uses "
        f"{PROTOCOL_VERSION}: use an image with the flytemp version of the worker"
    )
    return TaskError.of("ProtocolMismatch", text)


def _report(result: TaskResult) -> int:
    """Print the error of a failed task for the log of the pod; return the exit code."""
    if result.error is None:
        return 0
    print(result.error.traceback or f"{result.error.code}: {result.error.message}", file=sys.stderr)
    return FAILED


def write_termination_message(error: TaskError) -> int:
    """Write the error of the try to the termination message and the log; return the exit code."""
    print(f"flytemp: {error.code}: {error.message}", file=sys.stderr)
    try:
        TERMINATION_MESSAGE.write_bytes(termination_message(error))
    except OSError as unwritten:  # the error is in the log
        print(f"flytemp: the termination message could not be written: {unwritten}", file=sys.stderr)
    return PLATFORM


def termination_message(error: TaskError) -> bytes:
    """Return the error as JSON of at most `TERMINATION_MESSAGE_BYTES`, with as much of its message as fits."""
    message = error.message
    while True:
        fields = error.model_copy(update={"message": message, "traceback": "", "failed_items": None}).model_dump()
        text = json.dumps({"flytemp": fields}, separators=(",", ":"), ensure_ascii=False).encode()
        excess = len(text) - TERMINATION_MESSAGE_BYTES
        if excess <= 0:
            return text
        message = message.encode()[: max(0, len(message.encode()) - excess - 1)].decode(errors="ignore")


def _exit(code: int) -> NoReturn:
    """Exit with the exit handlers, after `EXIT_SECONDS` at the latest."""
    sys.stdout.flush()
    sys.stderr.flush()
    timer = threading.Timer(EXIT_SECONDS, os._exit, [code])
    timer.daemon = True
    timer.start()
    raise SystemExit(code)


if __name__ == "__main__":
    main()
