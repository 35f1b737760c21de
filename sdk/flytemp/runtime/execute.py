"""One try of a task in this process: claim, inputs, calls, outputs, commit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from flytemp import __version__
from flytemp.authoring.context import ExecutionId, ExecutionParameters, TaskId, use_context
from flytemp.error_text import exception_text, titled
from flytemp.errors import FlytempError, InputError
from flytemp.layout import RootLayout
from flytemp.literals.transfer import use_transfer
from flytemp.literals.types import Json
from flytemp.runtime.commit import claim_try, commit_result, now, read_result, write_try_error
from flytemp.runtime.failures import CallFailed, TryFailed
from flytemp.runtime.inputs import BindingReader
from flytemp.runtime.invocation import PROTOCOL_VERSION, Invocation, TaskError, TaskResult
from flytemp.runtime.task_run import TaskRun, scratch_folder, temporary_bundles
from flytemp.runtime.user_errors import user_error
from flytemp.store.object_store import ObjectStore
from flytemp.store.patience import PATIENCE_SECONDS, patient
from flytemp.store.web_addresses import LoopbackRule
from flytemp.task_types import LiteralCall, task_type


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class ExecutionOptions:
    """Options of a try in its process.

    Attributes:
        scratch: folder of the task, made and removed by the runtime; None: a new temporary folder.
        bundle: folder of the code bundle that the worker has unpacked and verified; None: the runtime unpacks it.
        bundles: folder where code bundles are unpacked; None: a temporary folder of the user.
        change_directory: whether the task starts in its working directory, inside the scratch folder.
        interruptible: whether Ctrl-C ends this program; else it is an error of the task.
        on_claim: called when this process has claimed the try.
        patience_seconds: seconds for which a store that does not answer is asked again to take the results of the user's code.
    """

    scratch: Path | None = None
    bundle: Path | None = None
    bundles: Path | None = None
    change_directory: bool = True
    interruptible: bool = False
    on_claim: Callable[[], None] = _nothing
    patience_seconds: float = PATIENCE_SECONDS


def execute(
    invocation: Invocation, store: ObjectStore, *, owner: str, options: ExecutionOptions | None = None
) -> TaskResult | None:
    """Run a try, unless another process has claimed it.

    The try is claimed before any code of the user runs. An error of the user's code is committed as the result of the attempt,
    like outputs. If another try of the attempt has committed before, its result is returned.

    Args:
        invocation: the try.
        store: store of the execution.
        owner: owner of the claim.
        options: options of the try in this process.

    Returns:
        The result that was committed for the attempt; None if another process has claimed the try.

    Raises:
        TryFailed: the platform failed: store, code bundle, inputs. The error is written as the error of the try.
        KeyboardInterrupt: if ``options.interruptible``.
    """
    options = options or ExecutionOptions()
    try:
        _check_protocol(invocation)
        if not claim_try(store, invocation, owner):
            return None
    except FlytempError as error:
        raise TryFailed(TaskError.of_platform(error)) from error
    options.on_claim()
    try:
        with LoopbackRule(allowed=invocation.allows_loopback):
            result = _Try(invocation, store, options).result()
        return patient(lambda: commit_result(store, invocation, result), options.patience_seconds)
    except CallFailed as failed:
        raise _recorded(invocation, store, failed.error) from failed.__cause__
    except FlytempError as error:
        raise _recorded(invocation, store, TaskError.of_platform(error)) from error
    except Exception as error:
        raise _recorded(invocation, store, bug_error(error)) from error


def bug_error(error: Exception) -> TaskError:
    """Return the SYSTEM error for an exception that is not one of flytemp: a defect of the runtime is not the user's failure.

    Another try follows only after an error of the machine.
    """
    message = f"flytemp's runtime failed: {titled(error)}"
    return TaskError(kind="SYSTEM", code="FlytempBug", message=message, retryable=isinstance(error, OSError | MemoryError))


def _check_protocol(invocation: Invocation) -> None:
    if invocation.protocol != PROTOCOL_VERSION:
        raise FlytempError(
            f"the worker uses version {invocation.protocol} of the protocol with tasks, and this runtime uses "
            f"{PROTOCOL_VERSION}",
            hint="install the same version of flytemp for both",
        )


def _recorded(invocation: Invocation, store: ObjectStore, error: TaskError) -> TryFailed:
    """Write the error of the try, if the store accepts it; return the exception to raise."""
    failure = TryFailed(error)
    try:
        write_try_error(store, invocation, error)
    except FlytempError as unwritten:
        failure.add_note(f"the error could not be written to the store: {unwritten}")
    return failure


def _current_folder() -> Path | None:
    try:
        return Path.cwd()
    except OSError:  # the folder was deleted
        return None


def _storable(result: TaskResult) -> TaskResult:
    """Return ``result``, or the failure of the task whose outputs cannot be written as JSON."""
    try:
        result.model_dump_json()
    except (ValueError, RecursionError) as error:
        text = f"the outputs cannot be written as JSON: {exception_text(error)}"
        hint = "write the value to a file and pass a FlyteFile"
        return TaskResult(status="failed", error=TaskError.of("TypeMismatch", f"{text}\n  hint: {hint}"))
    return result


class _Try:
    """The steps of a try between its claim and its commit."""

    def __init__(self, invocation: Invocation, store: ObjectStore, options: ExecutionOptions) -> None:
        self._invocation = invocation
        self._store = store
        self._options = options

    def result(self) -> TaskResult:
        """Return the result to commit.

        Raises:
            CallFailed: with an error of kind SYSTEM.
            FlytempError: the platform failed.
        """
        started = now()
        try:
            outputs = self._outputs()
        except CallFailed as failed:
            if failed.error.kind == "SYSTEM":
                raise
            result = TaskResult(status="failed", outputs=failed.outputs, error=failed.error)
        else:
            result = TaskResult(status="succeeded", outputs=outputs)
        times = {"started_at": started, "finished_at": now()}
        return _storable(result).model_copy(update={**times, "try_": self._invocation.try_, "runtime_version": __version__})

    def _outputs(self) -> dict[str, Json]:
        invocation, options = self._invocation, self._options
        given = (invocation.inputs,) if invocation.items is None else invocation.items
        try:
            reader = BindingReader(self._store, invocation.execution_root)
            calls = [{name: reader.read(value) for name, value in inputs.items()} for inputs in given]
        except InputError as error:  # the value of an earlier node does not have the path
            raise CallFailed(user_error(error, retryable=False)) from error
        source_folder = _current_folder() if invocation.bundle is None else None
        with scratch_folder(options.scratch, change_directory=options.change_directory) as folder:
            bundles = options.bundles or temporary_bundles()
            run = TaskRun(
                invocation, self._store, folder, bundles, keyboard_interrupt=options.interruptible, unpacked=options.bundle,
                patience_seconds=options.patience_seconds, source_folder=source_folder,
            )  # fmt: skip
            with use_context(self._context(folder)), use_transfer(run.files):
                with run.conversions():
                    call = task_type(invocation.task.kind).prepare(run)
                return call(calls[0]) if invocation.items is None else self._calls(call, calls)

    def _calls(self, call: LiteralCall, calls: list[dict[str, Json]]) -> dict[str, Json]:
        """Make several calls of a map, one after the other. A later attempt repeats only the calls that failed."""
        done = self._done_before(len(calls))
        failures: dict[int, CallFailed] = {}
        for number, literals in enumerate(calls):
            if done[number] is not None:
                continue
            try:
                done[number] = call(literals)
            except CallFailed as failed:
                if failed.error.kind == "SYSTEM":
                    raise
                failures[number] = failed
        names = [variable.name for variable in self._invocation.task.interface.outputs]
        outputs: dict[str, Json] = {name: [None if one is None else one[name] for one in done] for name in names}
        if not failures:
            return outputs
        first = next(iter(failures.values()))
        retryable = any(failed.error.retryable for failed in failures.values())
        error = first.error.model_copy(update={"failed_items": tuple(failures), "retryable": retryable})
        raise CallFailed(error, outputs) from first

    def _done_before(self, count: int) -> list[dict[str, Json] | None]:
        """Return the outputs of each call in the attempt before this one; None for a call that failed or was not made."""
        invocation = self._invocation
        if invocation.attempt > 1:
            before = read_result(self._store, invocation.model_copy(update={"attempt": invocation.attempt - 1}))
            if before is not None and before.outputs is not None and before.error and before.error.failed_items:
                failed, outputs = set(before.error.failed_items), before.outputs
                return [
                    None if number in failed else {name: values[number] for name, values in outputs.items()}
                    for number in range(count)
                ]
        return [None] * count

    def _context(self, working_directory: Path) -> ExecutionParameters:
        invocation = self._invocation
        started = datetime.fromisoformat(invocation.started_at) if invocation.started_at else datetime.now(UTC)
        attempt = RootLayout(invocation.execution_root).attempt(invocation.node, invocation.attempt_key)
        return ExecutionParameters(
            execution_id=ExecutionId(invocation.project, invocation.domain, invocation.execution),
            execution_date=started,
            task_id=TaskId(invocation.project, invocation.domain, invocation.task.name, invocation.version),
            directory=str(working_directory),
            raw_data=invocation.raw_data_prefix,
            metadata_prefix=self._store.uri_of(attempt),
        )
