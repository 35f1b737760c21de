"""One try of a task, in this process: claim, inputs, code, call, outputs, commit."""

from __future__ import annotations

import inspect
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flytemp import __version__
from flytemp.authoring.context import ExecutionId, ExecutionParameters, TaskId, use_context
from flytemp.authoring.local import to_the_end
from flytemp.authoring.task import Task
from flytemp.bundle.extraction import extract
from flytemp.errors import Actor, FlytempError, InputError
from flytemp.layout import RootLayout
from flytemp.literals.transfer import RawDataTransfer, use_transfer
from flytemp.literals.types import Json
from flytemp.runtime.commit import claim_try, commit_result, now, read_result, write_try_error
from flytemp.runtime.failures import TryFailed
from flytemp.runtime.forks import forked_children_end_here
from flytemp.runtime.inputs import BindingReader
from flytemp.runtime.invocation import PROTOCOL_VERSION, Invocation, TaskError, TaskResult
from flytemp.runtime.loader import load_task, use_bundle
from flytemp.runtime.termination import Terminated, interruptible
from flytemp.runtime.user_errors import user_error
from flytemp.spec.canonical import stored
from flytemp.store.object_store import ObjectStore


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class ExecutionOptions:
    """Where and how a try runs in its process.

    ``scratch``: the task's own folder, made and removed; None: a fresh temporary one. ``bundles``: where code bundles
    are unpacked; None: a temporary folder. ``change_directory``: whether the task starts in its scratch folder.
    ``interruptible``: whether Ctrl-C ends this program; else it is an error of the task. ``on_claim`` is called once the
    try is this process's.
    """

    scratch: Path | None = None
    bundles: Path | None = None
    change_directory: bool = True
    interruptible: bool = False
    on_claim: Callable[[], None] = _nothing


def execute(
    invocation: Invocation, store: ObjectStore, *, owner: str, surroundings: ExecutionOptions | None = None
) -> TaskResult | None:
    """Run a try, unless somebody else does.

    The claim is created before anything of the user's runs. What the user's code does wrong is committed as the
    attempt's result, like outputs; when another try of the attempt has committed before, its result is returned.

    Args:
        invocation: what to run.
        store: where ``invocation.execution_root`` lies.
        owner: who claims the try.
        surroundings: see there.

    Returns:
        what was committed for the attempt, or None when the try was claimed by another process.

    Raises:
        TryFailed: what the task needs is not to be had: store, code bundle, inputs. Noted in the try's `error.json`.
        KeyboardInterrupt: if ``surroundings`` says so.
    """
    surroundings = surroundings or ExecutionOptions()
    try:
        _check_protocol(invocation)
        if not claim_try(store, invocation, owner):
            return None
    except FlytempError as error:
        raise TryFailed(TaskError.of_platform(error)) from error
    surroundings.on_claim()
    try:
        return commit_result(store, invocation, _Try(invocation, store, surroundings).result())
    except _Failed as failed:
        raise _noted(invocation, store, failed.error) from failed.__cause__
    except FlytempError as error:
        raise _noted(invocation, store, TaskError.of_platform(error)) from error


def _check_protocol(invocation: Invocation) -> None:
    if invocation.protocol != PROTOCOL_VERSION:
        raise FlytempError(
            f"the worker speaks version {invocation.protocol} of the protocol with tasks, and this runtime speaks "
            f"{PROTOCOL_VERSION}",
            hint="install the same version of flytemp for both",
        )


def _noted(invocation: Invocation, store: ObjectStore, error: TaskError) -> TryFailed:
    """The failure to raise, left in the try's folder if the store takes it."""
    failure = TryFailed(error)
    try:
        write_try_error(store, invocation, error)
    except FlytempError as unwritten:
        failure.add_note(f"it could not be noted in the store: {unwritten}")
    return failure


class _Failed(Exception):
    """Carries an error out of the steps of a try, with the outputs of those of its calls that succeeded."""

    def __init__(self, error: TaskError, outputs: dict[str, Json] | None = None) -> None:
        super().__init__(error.message)
        self.error = error
        self.outputs = outputs


class _Try:
    """The steps between the claim and the commit."""

    def __init__(self, invocation: Invocation, store: ObjectStore, surroundings: ExecutionOptions) -> None:
        self._invocation = invocation
        self._store = store
        self._surroundings = surroundings
        self._bundle: Path | None = None

    def result(self) -> TaskResult:
        """The result to commit.

        Raises:
            _Failed: with an error of kind SYSTEM.
            FlytempError: the platform's.
        """
        started = now()
        try:
            outputs = self._outputs()
        except _Failed as failed:
            if failed.error.kind == "SYSTEM":
                raise
            result = TaskResult(status="failed", outputs=failed.outputs, error=failed.error)
        else:
            result = TaskResult(status="succeeded", outputs=outputs)
        times = {"started_at": started, "finished_at": now()}
        return result.model_copy(update={**times, "try_": self._invocation.try_, "runtime_version": __version__})

    def _outputs(self) -> dict[str, Json]:
        invocation = self._invocation
        given = (invocation.inputs,) if invocation.items is None else invocation.items
        try:
            source = BindingReader(self._store, invocation.execution_root)
            calls = [{name: source.read(value) for name, value in inputs.items()} for inputs in given]
        except InputError as error:  # a path that leads nowhere in the value that came
            raise _Failed(user_error(error, retryable=False)) from error
        if invocation.bundle is not None:
            self._bundle = extract(self._store, invocation.bundle, self._surroundings.bundles or temporary_bundles())
            use_bundle(self._bundle, invocation.bundle.import_roots)
        with self._scratch() as scratch:
            files = RawDataTransfer(invocation.raw_data_prefix, scratch)
            with use_context(self._context(scratch)), use_transfer(files):
                task = self._load()
                if invocation.items is not None:
                    return self._calls(task, calls, files)
                make = self._generate if invocation.task.kind == "dynamic" else self._call
                return make(task, calls[0], files)

    def _load(self) -> Task[..., Any]:
        roots = self._invocation.bundle.import_roots if self._invocation.bundle is not None else (".",)
        with self._users_code(), self._imports():
            task = load_task(self._invocation.task.loader, self._bundle, roots)
            _ = task.python_interface
        return task

    def _values(self, task: Task[..., Any], literals: dict[str, Json], files: RawDataTransfer) -> dict[str, Any]:
        # A user's class may run its own code when a value of it is made or taken apart.
        interface = task.python_interface
        with self._users_code(), self._conversions(task):
            return interface.input_values({**interface.defaults, **literals}, files)

    def _call(self, task: Task[..., Any], literals: dict[str, Json], files: RawDataTransfer) -> dict[str, Json]:
        interface = task.python_interface
        values = self._values(task, literals, files)
        with self._users_code():
            try:
                returned = interface.call(task.function, values)
                if inspect.isawaitable(returned):
                    returned = to_the_end(returned)
            except SystemExit as leaving:
                # A script's way to say that all went well, where nothing is to be returned.
                if leaving.code not in (None, 0) or interface.outputs:
                    raise
                returned = None
        with self._users_code(), self._conversions(task):
            return interface.output_literals(returned, files)

    def _generate(self, task: Task[..., Any], literals: dict[str, Json], files: RawDataTransfer) -> dict[str, Json]:
        """A dynamic task makes a graph, which lies beside the try and runs in its place."""
        from flytemp.runtime.dynamic import generate

        invocation = self._invocation
        values = self._values(task, literals, files)
        with self._users_code(), self._conversions(task):
            document = generate(task, values, files).model_copy(update={"bundle": invocation.bundle})
        key = RootLayout(invocation.execution_root).dynamic(invocation.node, invocation.attempt_key, invocation.try_)
        self._store.write(key, stored(document).encode())
        return {}

    def _calls(self, task: Task[..., Any], calls: list[dict[str, Json]], files: RawDataTransfer) -> dict[str, Json]:
        """Several calls of a map, one after the other. A later attempt makes those again that failed."""
        done = self._done_before(len(calls))
        failures: dict[int, _Failed] = {}
        for number, literals in enumerate(calls):
            if done[number] is not None:
                continue
            try:
                done[number] = self._call(task, literals, files)
            except _Failed as failed:
                if failed.error.kind == "SYSTEM":
                    raise
                failures[number] = failed
        outputs: dict[str, Json] = {
            name: [None if one is None else one[name] for one in done] for name in task.python_interface.outputs
        }
        if not failures:
            return outputs
        first = next(iter(failures.values()))
        retryable = any(failed.error.retryable for failed in failures.values())
        error = first.error.model_copy(update={"failed_items": tuple(failures), "retryable": retryable})
        raise _Failed(error, outputs) from first

    def _done_before(self, count: int) -> list[dict[str, Json] | None]:
        """What the calls gave in the attempt before this one; None for those that failed, or were not made."""
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

    # -------------------------------------------------------------------------------------- errors

    @contextmanager
    def _conversions(self, task: Task[..., Any]) -> Iterator[None]:
        """flytemp's own errors here are a value that does not fit, so at every attempt, or the platform's."""
        try:
            yield
        except FlytempError as error:
            if error.actor is not Actor.USER:
                raise _Failed(TaskError.of_platform(error)) from error
            raise _Failed(user_error(error, bundle=self._bundle, retryable=False, task=task)) from error

    @contextmanager
    def _imports(self) -> Iterator[None]:
        """Code that cannot be imported cannot at the next attempt either."""
        try:
            yield
        except (FlytempError, ImportError, SyntaxError) as error:
            raise _Failed(user_error(error, bundle=self._bundle, retryable=False)) from error

    @contextmanager
    def _users_code(self) -> Iterator[None]:
        """The user's code runs here, and may raise anything."""
        try:
            with forked_children_end_here(), interruptible():
                yield
        except (_Failed, GeneratorExit, Terminated):
            raise
        except KeyboardInterrupt as error:
            if self._surroundings.interruptible:
                raise
            raise _Failed(user_error(error, bundle=self._bundle)) from error
        except SystemExit as error:
            raise _Failed(_left(error, self._bundle)) from error
        except BaseException as error:
            raise _Failed(user_error(error, bundle=self._bundle)) from error

    # ---------------------------------------------------------------------------------- surroundings

    @contextmanager
    def _scratch(self) -> Iterator[Path]:
        given = self._surroundings.scratch
        try:
            if given is not None:
                given.mkdir(parents=True)
            scratch = given or Path(tempfile.mkdtemp(prefix="flytemp-task-"))
            before = os.getcwd() if self._surroundings.change_directory else None
            if before is not None:
                os.chdir(scratch)
        except OSError as error:
            text = f"the task's folder cannot be made: {error}"
            raise _Failed(TaskError(kind="SYSTEM", code=type(error).__name__, message=text)) from error
        try:
            yield scratch
        finally:
            if before is not None:
                os.chdir(before)
            shutil.rmtree(scratch, ignore_errors=True)

    def _context(self, scratch: Path) -> ExecutionParameters:
        invocation = self._invocation
        started = datetime.fromisoformat(invocation.started_at) if invocation.started_at else datetime.now(UTC)
        attempt = RootLayout(invocation.execution_root).attempt(invocation.node, invocation.attempt_key)
        return ExecutionParameters(
            execution_id=ExecutionId(invocation.project, invocation.domain, invocation.execution),
            execution_date=started,
            task_id=TaskId(invocation.project, invocation.domain, invocation.task.name, invocation.version),
            directory=str(scratch),
            raw_data=invocation.raw_data_prefix,
            metadata_prefix=self._store.uri_of(attempt),
        )


def _left(error: SystemExit, bundle: Path | None) -> TaskError:
    """What `sys.exit` in a task means: it returned nothing."""
    described = user_error(error, bundle=bundle)
    code: Any = error.code
    if code is None or isinstance(code, int):
        message = f"the task called sys.exit({code or 0}) instead of returning its outputs"
    else:
        message = f"the task called sys.exit: {code}"
    return described.model_copy(update={"message": message})


def temporary_bundles() -> Path:
    """Where code bundles are unpacked when nobody says: a folder of this user's that outlives the process."""
    return Path(tempfile.gettempdir()) / f"flytemp-bundles-{os.getuid() if sys.platform != 'win32' else 0}"
