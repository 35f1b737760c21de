"""Programs that transfer the data of a container's command: ``python3 -P -m flytemp.runtime.container fetch|collect``.

``fetch`` runs in an init container. It claims the try and writes the inputs as files. ``collect`` runs in a native sidecar.
Kubernetes stops it when the task's container has ended, and then it stores the outputs. The worker commits them if the exit
code is 0.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from flytemp import __version__
from flytemp.errors import Actor, FlytempError
from flytemp.layout import RootLayout
from flytemp.literals.transfer import RawDataTransfer
from flytemp.runtime.commit import claim_try, commit_result, now
from flytemp.runtime.container_io import read_outputs, write_inputs
from flytemp.runtime.inputs import resolve_inputs
from flytemp.runtime.invocation import Invocation, TaskError, TaskResult
from flytemp.runtime.pod import FAILED, other_protocol, read_invocation, write_termination_message
from flytemp.store import open_store
from flytemp.store.object_store import ObjectStore
from flytemp.task_types import task_type

ENDED = "/tmp/flytemp-ended"
"""File that Kubernetes creates in the sidecar (``preStop``) when the task's container has ended."""

POLL_SECONDS = 0.1

INPUTS, OUTPUTS = "FLYTEMP_INPUTS_DIR", "FLYTEMP_OUTPUTS_DIR"


def fetch(invocation: Invocation, store: ObjectStore, environment: Mapping[str, str]) -> int:
    """Claim the try and write the files of the inputs; return the exit code.

    Raises:
        FlytempError: inputs cannot be read; the platform pays.
    """
    if not claim_try(store, invocation, environment["FLYTEMP_POD_UID"]):
        return write_termination_message(TaskError.of("Claimed", "another container has claimed the try"))
    task = invocation.task
    container = task_type(task.kind).container(task)
    assert container is not None
    try:
        literals = resolve_inputs(invocation.inputs, store, invocation.execution_root)
        write_inputs(literals, task.interface, Path(environment[INPUTS]), container)
    except FlytempError as error:
        if error.actor is not Actor.USER:
            raise
        commit_result(store, invocation, _failed(invocation, error))
        print(f"{error}", file=sys.stderr)
        return FAILED
    return 0


def collect(invocation: Invocation, store: ObjectStore, environment: Mapping[str, str]) -> int:
    """Wait for the end of the task's container and store its outputs; return the exit code.

    Raises:
        FlytempError: outputs cannot be written; the platform pays.
    """
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    while not os.path.exists(ENDED) and not ended.wait(POLL_SECONDS):
        pass
    folder = Path(environment[OUTPUTS])
    transfer = RawDataTransfer(invocation.raw_data_prefix, folder.parent)
    try:
        outputs = read_outputs(invocation.task.interface, folder, transfer)
        result = TaskResult(status="succeeded", outputs=outputs, try_=invocation.try_, finished_at=now(),
                            runtime_version=__version__)  # fmt: skip
    except FlytempError as error:
        if error.actor is not Actor.USER:
            raise
        result = _failed(invocation, error)
    layout = RootLayout(invocation.execution_root)
    key = layout.collected(invocation.node, invocation.attempt_key, invocation.try_)
    store.write(key, result.model_dump_json().encode())
    return 0


def _failed(invocation: Invocation, error: FlytempError) -> TaskResult:
    return TaskResult(status="failed", error=TaskError.of_user(error), try_=invocation.try_, finished_at=now(),
                      runtime_version=__version__)  # fmt: skip


_PROGRAMS: dict[str, Callable[[Invocation, ObjectStore, Mapping[str, str]], int]] = {"fetch": fetch, "collect": collect}


def main(arguments: list[str], environment: Mapping[str, str]) -> int:
    """Run one of the two programs; return an exit code of `flytemp.runtime.pod`."""
    wrong = other_protocol(environment.get("FLYTEMP_PROTOCOL", ""))
    if wrong is not None:
        return write_termination_message(wrong)
    try:
        store = open_store(environment["FLYTEMP_STORE"])
        return _PROGRAMS[arguments[0]](read_invocation(environment, store), store, environment)
    except FlytempError as error:
        return write_termination_message(TaskError.of_platform(error))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
