"""Table of the outcomes that flytemp itself gives to a task, with one code and one payer for each, on every backend.

The backends and the runtime make their errors from this table (`flytemp.runtime.invocation.TaskError.of`). The reference page of
errors is generated from it. Exceptions of user code are not in the table: their code is the name of the exception's class. The
table does have the exceptions, of flytemp and of Python, after which a retry fails in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from flytemp.error_text import module_of, name_of

Payer = Literal["USER", "SYSTEM"]
"""Budget that an outcome is charged to: the ``retries`` of the task (USER) or the tries of the platform (SYSTEM)."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One row of the table.

    Attributes:
        code: identifier of the outcome, as in ``error.code`` of a node.
        payer: budget that the outcome is charged to.
        retryable: whether another attempt (USER) or another try (SYSTEM) may follow.
        meaning: one sentence for the reference page.
        hint: the action that usually helps; may be empty.
    """

    code: str
    payer: Payer
    retryable: bool
    meaning: str
    hint: str = ""


_IMAGE = "The image of the container could not be pulled within the time that the policy allows."
_IMAGE_HINT = "Check the name of the image and the pull secrets."
_CREATE = "A container could not be created within the time that the policy allows."
_CREATE_HINT = "The message has the answer of the container runtime."
_CONFIG = "The pod can never start."
_CONFIG_HINT = "Correct the name of the image, secret or config map in the message."

_USER = (
    Outcome("Timeout", "USER", True, "A time limit passed: `timeout`, `max_queued_time`, `deadline`, or the limit of a gate.",
            "Raise the limit. A deadline and the limit of a gate are not retried."),
    Outcome("OutOfMemory", "USER", True, "The task used more memory than it had: a container was killed for its memory, the "
            "kernel killed the process because memory ran out, or the code raised `MemoryError`.", "Request more memory."),
    Outcome("ResourcesExhausted", "USER", True, "The task left its process without file descriptors, threads or memory, so that "
            "its result could not be stored.", "Close files and stop threads before the task returns."),
    Outcome("Crashed", "USER", True, "The process died by a signal of its own, such as a segmentation fault."),
    Outcome("Exited", "USER", True, "The process exited before it returned a result.",
            "Return the outputs instead of calling `os._exit`; correct the command of a container."),
    Outcome("SystemExit", "USER", True, "The code called `sys.exit`.", "Return the outputs instead."),
    Outcome("CannotRun", "USER", False, "The container could not run its command.",
            "The image needs `python3` with flytemp, or the command that the task names."),
    Outcome("InitFailed", "USER", True, "An init container of the pod template failed."),
    Outcome("InvalidPod", "USER", False, "Kubernetes refused the pod, or the task asks for a pod that cannot exist.",
            "The message has the reason."),
    Outcome("SecretNotFound", "USER", False, "A secret of the task is not in the namespace of the pod.", "Create the secret."),
    Outcome("ConfigMapNotFound", "USER", False, "A config map of the task is not in the namespace of the pod.",
            "Create the config map."),
    Outcome("ErrImagePull", "USER", True, _IMAGE, _IMAGE_HINT),
    Outcome("ImagePullBackOff", "USER", True, _IMAGE, _IMAGE_HINT),
    Outcome("RegistryUnavailable", "USER", True, _IMAGE, _IMAGE_HINT),
    Outcome("ImageInspectError", "USER", True, _IMAGE, _IMAGE_HINT),
    Outcome("CreateContainerError", "USER", True, _CREATE, _CREATE_HINT),
    Outcome("RunContainerError", "USER", True, _CREATE, _CREATE_HINT),
    Outcome("PreCreateHookError", "USER", True, _CREATE, _CREATE_HINT),
    Outcome("PostStartHookError", "USER", True, _CREATE, _CREATE_HINT),
    Outcome("CreateContainerConfigError", "USER", False, _CONFIG, _CONFIG_HINT),
    Outcome("InvalidImageName", "USER", False, _CONFIG, _CONFIG_HINT),
    Outcome("ErrImageNeverPull", "USER", False, _CONFIG, _CONFIG_HINT),
    Outcome("UserProvidedError", "USER", False, "The case of a conditional that holds fails with its own text."),
    Outcome("NoBranchTaken", "USER", False, "No case of a conditional holds, and it has no `else`.", "Add an `else`."),
    Outcome("ReceivedRejectSignal", "USER", False, "An approval was rejected; the message has the user and the reason."),
    Outcome("MapFailed", "USER", False, "Too many calls of a large map failed. A small map has the error of its last call."),
    Outcome("DynamicTooDeep", "USER", False, "More dynamic tasks are nested than `max_dynamic_depth` allows.",
            "Check that the recursion ends."),
    Outcome("Cancelled", "USER", False, "The execution was cancelled."),
)  # fmt: skip

_SYSTEM = (
    Outcome("Killed", "SYSTEM", True, "The process or container was killed (signal 9, exit code 137 or 247), and there is no "
            "evidence that memory ran out.", "A task that exhausts the memory of its machine may have this code."),
    Outcome("Evicted", "SYSTEM", True, "The cluster took the pod away: preemption, eviction, a drained, lost or refusing node. "
            "The message has Kubernetes' own reason."),
    Outcome("Lost", "SYSTEM", True, "The try disappeared without a result: its pod was deleted, or its worker is gone."),
    Outcome("Stopped", "SYSTEM", True, "The Temporal activity of the task was cancelled by a client other than flytemp."),
    Outcome("PodFailed", "SYSTEM", True, "The pod failed without a status of its containers."),
    Outcome("PodPending", "SYSTEM", True, "The pod waited longer than the policy allows. The message has the reason."),
    Outcome("NoResult", "SYSTEM", True, "The container ended with exit code 0 and left no result."),
    Outcome("NameTaken", "SYSTEM", False, "A pod of another origin has the name of the task's pod.", "Delete that pod."),
    Outcome("ApiError", "SYSTEM", True, "The Kubernetes API refused a request; the message has its answer.",
            "Compare the role of the worker with `infra/rbac`."),
    Outcome("ProtocolMismatch", "SYSTEM", False, "The image has a version of flytemp that cannot work with the worker's.",
            "Use an image with the version of the worker; the message has both."),
    Outcome("NoInvocation", "SYSTEM", True, "The container was not started by a worker: a variable is missing."),
    Outcome("Claimed", "SYSTEM", True, "Another container has claimed the try."),
    Outcome("ProcessNotStarted", "SYSTEM", True, "The machine could not start a process."),
    Outcome("ForkDeadlock", "SYSTEM", True, "The process of the task was forked, and a library in it waited for ever for a lock. "
            "The next try, and later tasks of the module, get fresh processes.", "Use `@task(reuse=\"nothing\")`."),
    Outcome("ProcessEnded", "SYSTEM", True, "The process ended before any code of the task ran."),
    Outcome("ChildEnded", "SYSTEM", False, "An execution or map chunk that this execution started ended without an error: it "
            "could not be started, or was terminated."),
    Outcome("FlytempBug", "SYSTEM", True, "An invariant of flytemp does not hold.", "Report the error with its message."),
    Outcome("Failed", "SYSTEM", True, "A short step of the engine failed, such as reading values; the message has the cause."),
    Outcome("TimedOut", "SYSTEM", False, "The Temporal time-out of the workflow passed. flytemp does not set one."),
    Outcome("Terminated", "SYSTEM", False, "The execution was terminated."),
)  # fmt: skip

_INVALID = "flytemp refused a value, such as an input, an output or an argument of a call."
_INVALID_HINT = "The message has the reason."
_PROGRAM = "A definition in the task's code is invalid, such as a graph that a dynamic task builds."
_UNSUPPORTED = "The task uses a feature or a type that this version does not support."
_MISSING = "The module or the attribute of the task is missing in the code bundle."

_EXCEPTIONS = (
    Outcome("NonRecoverableError", "USER", False, "The code raised this exception, or one of a subclass."),
    Outcome("NotSupported", "USER", False, _UNSUPPORTED, "The message names an alternative."),
    Outcome("UnsupportedType", "USER", False, _UNSUPPORTED, "The message names an alternative."),
    Outcome("InputError", "USER", False, _INVALID, _INVALID_HINT),
    Outcome("TypeMismatch", "USER", False, _INVALID, _INVALID_HINT),
    Outcome("InvalidName", "USER", False, _INVALID, _INVALID_HINT),
    Outcome("LimitExceeded", "USER", False, _INVALID, _INVALID_HINT),
    Outcome("CallError", "USER", False, _INVALID, _INVALID_HINT),
    Outcome("MissingInputs", "USER", False, _INVALID, _INVALID_HINT),
    Outcome("ProgramError", "USER", False, _PROGRAM, _INVALID_HINT),
    Outcome("AuthoringError", "USER", False, _PROGRAM, _INVALID_HINT),
    Outcome("NotLoadable", "USER", False, _MISSING, "Register the program again, with the module."),
    Outcome("ModuleNotFoundError", "USER", False, "The code imports a module that is not installed where the task runs.",
            "Install it in the environment of the worker or in the image."),
    Outcome("ConfigError", "USER", False, "Settings contradict each other or cannot be read.", _INVALID_HINT),
    Outcome("FlyteNonRecoverableSystemException", "USER", False, "The code raised this exception."),
    Outcome("CorruptData", "SYSTEM", False, "An object in the store is damaged.", "The message has its URI."),
    Outcome("FlyteNotImplementedException", "SYSTEM", False, "The code raised this exception."),
    Outcome("FlyteEntrypointNotLoadable", "SYSTEM", False, "The code raised this exception."),
)  # fmt: skip
"""Exceptions after which no retry follows: one retry more would fail in the same way. Subclasses have the row of their base."""

OUTCOMES = {outcome.code: outcome for outcome in (*_USER, *_EXCEPTIONS, *_SYSTEM)}
"""The table, by code."""

LOST_CODES = frozenset({"Lost", "Killed", "Evicted"})
"""Outcomes of a try that started and disappeared; metrics count them as ``lost``."""

RESERVED_CODES = frozenset(OUTCOMES) - {"SystemExit"}
"""Codes that an exception of user code does not get: the name of such a class is qualified by its module."""

_FINAL_EXCEPTIONS = frozenset(outcome.code for outcome in _EXCEPTIONS)


def is_own_exception(exception: type[BaseException]) -> bool:
    """Return whether the class is one of flytemp or of Python."""
    return module_of(exception).partition(".")[0] in ("builtins", "flytemp")


def may_retry(exception: type[BaseException]) -> bool:
    """Return whether a retry can succeed after an exception of the class."""
    return not any(name_of(base) in _FINAL_EXCEPTIONS and is_own_exception(base) for base in type.mro(exception))
