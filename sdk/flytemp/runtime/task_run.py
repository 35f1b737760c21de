"""One try inside the runtime, as the task types see it."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flytemp.authoring.task import Task
from flytemp.bundle.extraction import extract
from flytemp.bundle.unpacked import remove_folder
from flytemp.errors import Actor, FlytempError
from flytemp.layout import RootLayout
from flytemp.literals.transfer import RawDataTransfer
from flytemp.runtime.failures import CallFailed
from flytemp.runtime.forks import ForkedChildrenEndHere
from flytemp.runtime.invocation import Invocation, TaskError
from flytemp.runtime.loader import use_bundle
from flytemp.runtime.termination import Interruptible, Terminated
from flytemp.runtime.user_errors import user_error
from flytemp.spec.canonical import stored
from flytemp.spec.models import TaskSpec, WorkflowDocument
from flytemp.store.object_store import ObjectStore
from flytemp.store.patience import PATIENCE_SECONDS, patient

WORKING_DIRECTORY = "work"
"""Name of the working directory in the scratch folder of a task."""


@dataclass(frozen=True)
class _PatientTransfer(RawDataTransfer):
    """Transfer that repeats uploads to fresh URIs. An upload to a target of the user's choice is not repeated."""

    patience_seconds: float

    def upload_file(self, local: str, format: str = "", target: str | None = None) -> str:  # noqa: A002
        upload = super().upload_file
        return patient(lambda: upload(local, format, target), 0 if target else self.patience_seconds)

    def upload_directory(self, local: str, target: str | None = None) -> str:
        upload = super().upload_directory
        return patient(lambda: upload(local, target), 0 if target else self.patience_seconds)


@dataclass
class TaskRun:
    """One try that is running: its invocation, its files, and the rules by which exceptions become errors of the task.

    Attributes:
        invocation: the try.
        store: store of the execution.
        working_directory: working directory of the task.
        bundles: folder of the unpacked code bundles.
        keyboard_interrupt: whether Ctrl-C ends this program instead of failing the task.
        unpacked: folder of the task's code bundle, if the worker has unpacked it.
        patience_seconds: seconds for which a store that does not answer is asked again to take results of the user's code.
        files: transfer of files from and to the store.
        source_folder: folder of the program if its code is imported where it is and not from a bundle.
        bundle: folder of the task's code after `use_bundle`; None if the code is imported where it is.
    """

    invocation: Invocation
    store: ObjectStore
    working_directory: Path
    bundles: Path
    keyboard_interrupt: bool = False
    unpacked: Path | None = None
    patience_seconds: float = PATIENCE_SECONDS
    source_folder: Path | None = None
    files: RawDataTransfer = field(init=False)
    bundle: Path | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.files = _PatientTransfer(self.invocation.raw_data_prefix, self.working_directory, self.patience_seconds)

    @property
    def spec(self) -> TaskSpec:
        """Spec of the task, with the overrides of its node."""
        return self.invocation.task

    def use_bundle(self) -> Sequence[str]:
        """Unpack the code bundle and put its import roots on ``sys.path``; return the roots.

        Raises:
            CallFailed: the bundle cannot be read; the platform pays.
        """
        bundle = self.invocation.bundle
        if bundle is None:
            return (".",)
        try:
            self.bundle = self.unpacked or extract(self.store, bundle, self.bundles)
        except FlytempError as error:
            raise CallFailed(TaskError.of_platform(error)) from error
        use_bundle(self.bundle, bundle.import_roots)
        return bundle.import_roots

    def store_graph(self, document: WorkflowDocument) -> None:
        """Store the graph that a dynamic task built; it runs in place of the task.

        Raises:
            StoreError: the store refuses it.
        """
        invocation = self.invocation
        key = RootLayout(invocation.execution_root).dynamic(invocation.node, invocation.attempt_key, invocation.try_)
        data = stored(document.model_copy(update={"bundle": invocation.bundle})).encode()
        patient(lambda: self.store.write(key, data), self.patience_seconds)

    def _error(
        self, error: BaseException, *, retryable: bool | None = None, task: Task[..., Any] | None = None
    ) -> TaskError:
        return user_error(error, bundle=self.bundle, source_folder=self.source_folder, retryable=retryable, task=task)

    @contextmanager
    def user_code(self) -> Iterator[None]:
        """Context of the user's code: every exception becomes an error of the task.

        Raises:
            CallFailed: the code raised an exception.
            Terminated: the container received TERM.
        """
        try:
            with ForkedChildrenEndHere(), Interruptible():
                yield
        except (CallFailed, Terminated):
            raise
        except KeyboardInterrupt as error:
            if self.keyboard_interrupt:
                raise
            raise CallFailed(self._error(error)) from error
        except BaseException as error:
            raise CallFailed(self._error(error)) from error

    @contextmanager
    def conversions(self, task: Task[..., Any] | None = None) -> Iterator[None]:
        """Context of conversions between values and literals. A value that does not fit fails every attempt.

        Raises:
            CallFailed: flytemp raised an error, the user's (not retryable) or the platform's.
        """
        try:
            yield
        except FlytempError as error:
            if error.actor is not Actor.USER:
                raise CallFailed(TaskError.of_platform(error)) from error
            raise CallFailed(self._error(error, retryable=False, task=task)) from error

    @contextmanager
    def imports(self) -> Iterator[None]:
        """Context of imports of user code. Code that cannot be imported fails every attempt.

        Raises:
            CallFailed: the code cannot be imported.
        """
        try:
            yield
        except (FlytempError, ImportError, SyntaxError) as error:
            raise CallFailed(self._error(error, retryable=False)) from error


@contextmanager
def scratch_folder(given: Path | None, *, change_directory: bool) -> Iterator[Path]:
    """Make the folder of a task, return its working directory inside the folder, and remove the folder afterwards.

    Args:
        given: path of the folder; None: a new temporary folder.
        change_directory: whether this process works in the working directory meanwhile.

    Raises:
        CallFailed: the folder cannot be made; the platform pays.
    """
    try:
        scratch = given or Path(tempfile.mkdtemp(prefix="flytemp-task-"))
        working_directory = scratch / WORKING_DIRECTORY
        working_directory.mkdir(parents=True, exist_ok=True)  # the imports of a process may have made it
        before = os.getcwd() if change_directory else None
        if before is not None:
            os.chdir(working_directory)
    except OSError as error:
        text = f"the task's folder cannot be made: {error}"
        raise CallFailed(TaskError(kind="SYSTEM", code=type(error).__name__, message=text)) from error
    try:
        yield working_directory
    finally:
        if before is not None:
            os.chdir(before)
        shutil.rmtree(scratch, ignore_errors=True)


def temporary_bundles() -> Path:
    """Return the default folder of unpacked code bundles: one per user, which outlives this process.

    Other users can create folders in the system's temporary directory. A folder that is not this user's own, or a link, is
    not used; then the folder is a new one of this process, which is removed at its end.
    """
    folder = Path(tempfile.gettempdir()) / f"flytemp-bundles-{os.getuid() if sys.platform != 'win32' else 0}"
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        return folder if _is_private(folder) else _process_bundles()
    except OSError:
        pass  # `extract` reports a temporary directory that cannot be used
    return folder


def _is_private(folder: Path) -> bool:
    """Return whether ``folder`` is a folder of this user; afterwards only this user can write in it."""
    if sys.platform == "win32":
        return True  # the temporary directory belongs to the user
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        return False
    if status.st_mode & 0o022:
        folder.chmod(0o700)
    return True


@functools.cache
def _process_bundles() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="flytemp-bundles-"))
    atexit.register(remove_folder, folder)
    return folder
