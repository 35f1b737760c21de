"""Errors of tasks as users see them: the exception and the frames of their code."""

from __future__ import annotations

import pytest

from flytemp.error_text import MESSAGE_CHARACTERS, TRACEBACK_CHARACTERS
from flytemp.runtime.execute import ExecutionOptions, execute
from flytemp.runtime.failures import TryFailed
from flytemp.runtime.invocation import TaskError
from flytemp.runtime.user_errors import user_error
from tests.sdk.runtime.project import Project

PROGRAM = """
    import sys
    from flytemp import task
    from flytemp.errors import InputError
    from flytemp.exceptions.system import FlyteSystemException
    from flytemp.exceptions.user import FlyteRecoverableException, NonRecoverableError
    from helper import convert

    class Coded(Exception):
        error_code = "QUOTA"

    class Silent(Exception):
        def __str__(self):
            raise RuntimeError("no text")

    @task
    def plain() -> int:
        return convert("x")

    @task
    def chained() -> int:
        try:
            return convert("x")
        except ValueError as error:
            raise RuntimeError("it went wrong") from error

    @task
    async def asynchronous() -> int:
        return convert("x")

    @task
    def coded() -> int:
        raise Coded("no quota left")

    @task
    def final() -> int:
        raise NonRecoverableError("never again")

    @task
    def recoverable() -> int:
        raise FlyteRecoverableException("once more")

    @task
    def platform() -> int:
        raise FlyteSystemException("the cluster is on fire")

    @task
    def hinted() -> int:
        raise InputError("too few", hint="give more")

    @task
    def empty() -> int:
        raise ValueError

    @task
    def silent() -> int:
        raise Silent

    @task
    def memory() -> int:
        raise MemoryError("Unable to allocate 4 TiB")

    @task
    def interrupted() -> int:
        raise KeyboardInterrupt

    @task
    def endless() -> int:
        return endless.function()

    @task
    def talkative() -> int:
        raise ValueError("x" * 1_000_000)

    @task
    def group() -> int:
        raise ExceptionGroup("several", [ValueError("one"), KeyError("two")])

    @task
    def leaves(code: int) -> int:
        sys.exit(code)

    @task
    def leaves_with_text() -> int:
        sys.exit("no input files")

    @task
    def script(code: int) -> None:
        sys.exit(code)
"""
HELPER = """
    def convert(text):
        return int(text)
"""


@pytest.fixture
def program(project: Project) -> Project:
    project.write(PROGRAM.replace("helper", f"helper{project.number}"))
    project.write(HELPER, f"helper{project.number}.py")
    return project


def error_of(program: Project, options: ExecutionOptions, task: str, **inputs: object) -> TaskError:
    result = execute(program.invocation(task, inputs), program.store, owner="me", options=options)
    assert result is not None
    assert result.error is not None
    assert result.status == "failed"
    assert result.outputs is None
    return result.error


def test_traceback_has_the_users_frames(program: Project, options: ExecutionOptions) -> None:
    error = error_of(program, options, "plain")
    assert (error.kind, error.code, error.retryable) == ("USER", "ValueError", True)
    assert error.message == "invalid literal for int() with base 10: 'x'"
    assert [line.strip() for line in error.traceback.splitlines()] == [
        "Traceback (most recent call last):",
        f'File "{program.module}.py", line 18, in plain',
        'return convert("x")',
        *(["^^^^^^^^^^^^"] if "^" in error.traceback else []),
        f'File "helper{program.number}.py", line 3, in convert',
        "return int(text)",
        *(["^^^^^^^^^"] if "^" in error.traceback else []),
        "ValueError: invalid literal for int() with base 10: 'x'",
    ]


@pytest.mark.parametrize("task", ["asynchronous", "chained", "group", "endless"])
def test_traceback_has_no_frames_of_flytemp(program: Project, options: ExecutionOptions, task: str) -> None:
    error = error_of(program, options, task)
    shown = [line for line in error.traceback.splitlines() if line.strip(' |').startswith("File ")]
    assert shown
    assert all(f'"{program.module}.py"' in line or f'"helper{program.number}.py"' in line for line in shown)


def test_traceback_has_the_cause(program: Project, options: ExecutionOptions) -> None:
    error = error_of(program, options, "chained")
    assert error.code == "RuntimeError"
    assert error.message.splitlines() == [
        "it went wrong",
        "  cause: ValueError: invalid literal for int() with base 10: 'x'",
    ]
    cause, _, effect = error.traceback.partition("direct cause")
    assert "ValueError: invalid literal" in cause
    assert "RuntimeError: it went wrong" in effect


@pytest.mark.parametrize(
    ("task", "code", "message", "retryable"),
    [
        ("coded", "QUOTA", "no quota left", True),
        ("final", "NonRecoverableError", "never again", False),
        ("recoverable", "FlyteRecoverableException", "once more", True),
        ("hinted", "InputError", "too few\n  hint: give more", False),
        ("empty", "ValueError", "ValueError", True),
        ("silent", "Silent", "Silent, whose text is not available: RuntimeError", True),
        ("memory", "OutOfMemory", "Unable to allocate 4 TiB", True),
        ("interrupted", "KeyboardInterrupt", "KeyboardInterrupt", True),
        (
            "group",
            "ExceptionGroup",
            "several (2 sub-exceptions)\n  contains: ValueError: one\n  contains: KeyError: 'two'",
            True,
        ),
        ("leaves_with_text", "SystemExit", "the task called sys.exit: no input files", True),
    ],
)
def test_exception_is_reported_with_its_class_and_text(
    program: Project, options: ExecutionOptions, task: str, code: str, message: str, retryable: bool
) -> None:
    error = error_of(program, options, task)
    assert (error.kind, error.code, error.message, error.retryable) == ("USER", code, message, retryable)


def test_system_exception_of_the_user_is_charged_to_the_platform(program: Project, options: ExecutionOptions) -> None:
    with pytest.raises(TryFailed, match="the cluster is on fire") as caught:
        execute(program.invocation("platform"), program.store, owner="me", options=options)
    assert (caught.value.error.kind, caught.value.error.code) == ("SYSTEM", "FlyteSystemException")


def test_interrupt_ends_a_local_run(program: Project, options: ExecutionOptions) -> None:
    local = ExecutionOptions(bundles=options.bundles, interruptible=True)
    with pytest.raises(KeyboardInterrupt):
        execute(program.invocation("interrupted"), program.store, owner="me", options=local)


@pytest.mark.parametrize("task", ["endless", "talkative"])
def test_message_and_traceback_are_bounded(program: Project, options: ExecutionOptions, task: str) -> None:
    error = error_of(program, options, task)
    note = 100
    assert len(error.message) < MESSAGE_CHARACTERS + note
    assert len(error.traceback) < TRACEBACK_CHARACTERS + note
    assert error.traceback.startswith("Traceback")


@pytest.mark.parametrize(("task", "code"), [("leaves", 0), ("leaves", 3), ("script", 3)])
def test_exit_without_outputs_fails(
    program: Project, options: ExecutionOptions, task: str, code: int
) -> None:
    error = error_of(program, options, task, code=code)
    assert (error.kind, error.code) == ("USER", "SystemExit")
    assert f"sys.exit({code})" in error.message


def test_exit_0_of_a_task_without_outputs_succeeds(program: Project, options: ExecutionOptions) -> None:
    result = execute(
        program.invocation("script", {"code": 0}), program.store, owner="me", options=options
    )
    assert result is not None
    assert (result.status, result.outputs) == ("succeeded", {})


def test_exception_with_a_reserved_name_is_qualified() -> None:
    class Timeout(Exception):
        pass

    assert user_error(Timeout("slow server")).code == f"{__name__}.Timeout"
