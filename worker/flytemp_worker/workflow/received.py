"""Inputs, updates and signals as Temporal delivers them: each is checked before any other code uses it.

Any client of the namespace can send any payloads. An exception of workflow code other than an application error would block the
workflow task until the code is replaced, so a workflow's input that is refused fails the run, an update that is refused fails
the update, and a signal that is refused is ignored with a warning.
"""

from __future__ import annotations

from typing import Any, TypeVar

from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner

from flytemp.errors import FlytempError, InputError
from flytemp.protocol.json_checks import check_json
from flytemp.protocol.message import Json, Message, Signal, Update
from flytemp.protocol.workflow import CHUNK_WORKFLOW_TYPE, JANITOR_WORKFLOW_TYPE, WORKFLOW_TYPE
from flytemp_activities.application_errors import bounded

MAX_INPUT_BYTES = 1_500_000
"""Maximum size of a workflow's input. The input is part of an activity's argument, for which Temporal's limit is 2 MiB."""

MAX_MESSAGE_BYTES = 256 * 1024
"""Maximum size of the argument of an update or a signal."""

NO_INPUT = RawValue(Payload())

_COUNT = "flytemp-argument-count"
"""Key of a payload's metadata with the number of arguments that the payload stands for."""

M = TypeVar("M", bound=Message)
R = TypeVar("R")

# ------------------------------------------------------------------------------------------ inputs


class OneArgumentRunner(WorkflowRunner):
    """Runner that gives each workflow of flytemp exactly one argument.

    The SDK decodes arguments by their types only if their number is right. A workflow task with another number of arguments
    would fail in the SDK, for ever. Several arguments are replaced by one that `workflow_input` refuses.

    Args:
        inner: the runner that runs the workflows.
    """

    def __init__(self, inner: WorkflowRunner | None = None) -> None:
        self._inner = inner or UnsandboxedWorkflowRunner()

    def prepare_workflow(self, defn: Any) -> None:
        self._inner.prepare_workflow(defn)

    def set_worker_level_failure_exception_types(self, types: Any) -> None:
        self._inner.set_worker_level_failure_exception_types(types)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        instance = self._inner.create_instance(det)
        if det.defn.name in (WORKFLOW_TYPE, CHUNK_WORKFLOW_TYPE, JANITOR_WORKFLOW_TYPE):
            activate = instance.activate
            instance.activate = lambda act: activate(_with_one_argument(act))  # type: ignore[method-assign]
        return instance


def _with_one_argument(activation: WorkflowActivation) -> WorkflowActivation:
    for job in activation.jobs:
        arguments = job.initialize_workflow.arguments
        if len(arguments) > 1:
            count = str(len(arguments)).encode()
            del arguments[:]
            arguments.append(Payload(metadata={_COUNT: count}))
    return activation


def workflow_input(argument: RawValue) -> Json:
    """Return the only argument of a workflow as JSON.

    Raises:
        ApplicationError: the argument is missing, is one of several, cannot be decoded, or is too long or too deep.
    """
    if argument is NO_INPUT:
        raise refused_input("the workflow has no input")
    if _COUNT in argument.payload.metadata:
        count = argument.payload.metadata[_COUNT].decode(errors="replace")
        raise refused_input(f"the workflow takes one argument, got {count}")
    try:
        value = workflow.payload_converter().from_payload(argument.payload)
    except Exception as error:  # noqa: BLE001 - a team's converter may raise any
        workflow.logger.warning("the input cannot be decoded", exc_info=True)
        raise refused_input(f"the input cannot be decoded: {error}") from None
    try:
        check_json(value, "the input", MAX_INPUT_BYTES)
    except InputError as error:
        hint = f" ({error.hint})" if error.hint else ""
        raise refused_input(f"{error.message}{hint}", code=error.code) from None
    return value


def refused_input(reason: str, code: str = InputError.code) -> ApplicationError:
    """Return the error that fails a run because of its input."""
    return ApplicationError(bounded(f"invalid launch: {reason}"), type=code, non_retryable=True)


def read_input(kind: type[M], data: Json) -> M:
    """Return the message in a workflow's input.

    Raises:
        ApplicationError: the input has another form.
    """
    try:
        return kind.from_json(data)
    except FlytempError as error:
        raise refused_input(error.message) from None


# -------------------------------------------------------------------------------- updates and signals


def read_update(declaration: Update[M, R], arguments: tuple[Any, ...]) -> M:
    """Return the request of an update.

    Raises:
        ApplicationError: the number or the form of the arguments is wrong.
    """
    try:
        return _message(declaration.name, declaration.request, arguments)
    except FlytempError as error:
        raise ApplicationError(bounded(error.message), type=InputError.code, non_retryable=True) from None


def read_signal(declaration: Signal[M], arguments: tuple[Any, ...]) -> M | None:
    """Return the message of a signal, or None after a warning if the number or the form of the arguments is wrong."""
    try:
        return _message(declaration.name, declaration.message, arguments)
    except FlytempError as error:
        warn_ignored(declaration.name, error.message)
        return None


def warn_ignored(signal: str, reason: str) -> None:
    """Log a warning about a signal that has no effect."""
    workflow.logger.warning("the signal %s was ignored: %s", signal, bounded(reason, 500))


def _message(name: str, kind: type[M], arguments: tuple[Any, ...]) -> M:
    if len(arguments) > 1:
        raise InputError(f"{name} takes one argument, got {len(arguments)}")
    data = arguments[0] if arguments else {}
    check_json(data, f"the argument of {name}", MAX_MESSAGE_BYTES)
    return kind.from_json({} if data is None else data)
