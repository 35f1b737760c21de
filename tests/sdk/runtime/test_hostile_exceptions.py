"""Error reports of exceptions whose content or code is unusual: every report can be stored, and has the user's text."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

import pytest

import flytemp
from flytemp.compiler.failures import problems_of
from flytemp.error_text import CODE_CHARACTERS, MESSAGE_CHARACTERS, TRACEBACK_CHARACTERS, storable
from flytemp.exceptions.user import FlyteRecoverableException, NonRecoverableError
from flytemp.runtime.execute import ExecutionOptions, execute
from flytemp.runtime.invocation import TaskError
from flytemp.runtime.pod import TERMINATION_MESSAGE_BYTES, termination_message
from flytemp.runtime.user_errors import user_error
from flytemp_cli.error_report import report
from flytemp_cli.session import Session
from tests.sdk.runtime.project import Project

MIB = 2**20


def raising(*_: object) -> Any:
    raise RuntimeError("from a property")


def leaving(*_: object) -> Any:
    sys.exit("from a property")


class Nonsense:
    """Value whose every text fails."""

    __str__ = __repr__ = raising


class OddText(str):
    """Text whose methods fail."""

    encode = __len__ = __format__ = raising


def of_class(name: str = "Odd", base: type[BaseException] = ValueError, **attributes: Any) -> type[BaseException]:
    return type(name, (base,), attributes)


def with_cause(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


def in_a_cycle() -> BaseException:
    first, second = ValueError("first"), KeyError("second")
    first.__cause__, second.__cause__ = second, first
    return first


def long_chain(links: int) -> BaseException:
    error: BaseException = ValueError("innermost")
    for number in range(links):
        error = with_cause(ValueError(f"link {number}"), error)
    return error


def nested_group(depth: int) -> BaseException:
    error: Exception = ValueError("innermost")
    for _ in range(depth):
        error = ExceptionGroup("outer", [error])
    return error


def noted(*notes: Any) -> BaseException:
    error = ValueError("text")
    error.__notes__ = list(notes)
    return error


def with_code(code: Any) -> BaseException:
    return of_class(error_code=code)("text")


HOSTILE: dict[str, Callable[[], BaseException]] = {
    "surrogate in the message": lambda: ValueError(os.fsdecode(b"caf\xe9.csv")),
    "surrogate in the cause": lambda: with_cause(ValueError("text"), KeyError("\udce9")),
    "surrogate in a note": lambda: noted("\udce9"),
    "surrogate in the code": lambda: with_code("CAF\udce9"),
    "surrogate in the module": lambda: of_class("Lost", __module__="\udce9")("text"),
    "half a pair": lambda: ValueError("\ud83d"),
    "control characters": lambda: ValueError("\x1b[2J\x1b]0;title\x07 \x00 \u202e"),
    "text that raises": lambda: of_class(__str__=raising)("text"),
    "text that leaves": lambda: of_class(__str__=leaving)("text"),
    "text that is no text": lambda: of_class(__str__=lambda self: 5)("text"),
    "text of another class": lambda: of_class(__str__=lambda self: OddText("x"))(),
    "code that raises": lambda: of_class(error_code=property(raising))("text"),
    "code that leaves": lambda: of_class(error_code=property(leaving))("text"),
    "code that is no text": lambda: with_code(Nonsense()),
    "code that is a number": lambda: with_code(10**5000),
    "code of 3 MiB": lambda: with_code("x" * 3 * MIB),
    "code of several lines": lambda: with_code("a\nb\tc"),
    "message of 3 MiB": lambda: ValueError("é" * 3 * MIB),
    "surrogates of 3 MiB": lambda: ValueError("\udce9" * 3 * MIB),
    "notes that raise": lambda: of_class(__notes__=property(raising))("text"),
    "notes that are no texts": lambda: noted(5, Nonsense(), None),
    "notes that are no list": lambda: of_class(__notes__=7)("text"),
    "notes of 3 MiB": lambda: noted("x" * 3 * MIB),
    "repr that raises": lambda: of_class(__repr__=raising)("text"),
    "class that raises": lambda: of_class(__class__=property(raising))("text"),
    "class that is another": lambda: of_class(__class__=property(lambda self: int))("text"),
    "cause that raises": lambda: of_class(__cause__=property(raising))("text"),
    "cause that is no exception": lambda: of_class(__cause__="nonsense")("text"),
    "context that raises": lambda: of_class(__context__=property(raising))("text"),
    "traceback that raises": lambda: of_class(__traceback__=property(raising))("text"),
    "traceback that is none": lambda: of_class(__traceback__=5)("text"),
    "attributes that raise": lambda: of_class(__getattr__=raising)("text"),
    "every attribute raises": lambda: of_class(__getattribute__=raising)("text"),
    "module that is no text": lambda: of_class("Timeout", __module__=5)("text"),
    "arguments that have no text": lambda: ValueError(Nonsense()),
    "no constructor of the base": lambda: of_class(base=NonRecoverableError, __init__=lambda self: None)(),
    "own constructor with arguments": lambda: of_class(base=FlyteRecoverableException, __init__=lambda self, x: None)(1),
    "name of 3 MiB": lambda: of_class("N" * 3 * MIB)("text"),
    "base exception": lambda: of_class(base=BaseException)("text"),
    "number that is too long": lambda: ValueError(10**5000),
    "a cycle of causes": in_a_cycle,
    "a chain of 3000 causes": lambda: long_chain(3_000),
    "a group nested 800 deep": lambda: nested_group(800),
    "a group of 3000": lambda: ExceptionGroup("many", [ValueError(str(number)) for number in range(3_000)]),
    "a group with odd members": lambda: BaseExceptionGroup("odd", [of_class(__str__=raising)(), KeyboardInterrupt()]),
    "a syntax error without a place": lambda: SyntaxError("text", (Nonsense(), "1", None, b"", 0, 0)),
    "exit code without a text": lambda: SystemExit(Nonsense()),
    "exit code of 3 MiB": lambda: SystemExit("x" * 3 * MIB),
    "exit code that is too long": lambda: SystemExit(10**5000),
    "exit code that raises": lambda: of_class(base=SystemExit, code=property(raising))("text"),
    "exit code that is a list": lambda: SystemExit([1, "\udce9"]),
    "exit code that is empty": lambda: SystemExit(""),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_report_of_a_hostile_exception_can_be_stored(name: str) -> None:
    try:
        raise HOSTILE[name]()
    except BaseException as raised:  # noqa: BLE001 - the cases include exceptions of every class
        error = user_error(raised)

    assert TaskError.read(error.model_dump_json()) == error
    assert error.kind == "USER"
    assert error.code
    assert error.message
    assert error.traceback
    texts = {error.code: CODE_CHARACTERS, error.message: MESSAGE_CHARACTERS, error.traceback: TRACEBACK_CHARACTERS}
    for text, limit in texts.items():
        text.encode()
        assert len(text) <= limit
        assert all(char.isprintable() or char in "\n\t" for char in text)
    assert "\n" not in error.code
    message = termination_message(error)
    assert len(message) <= TERMINATION_MESSAGE_BYTES
    assert TaskError.read(json.loads(message)["flytemp"]).code == error.code


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("surrogate in the message", "ValueError", r"caf\udce9.csv"),
        ("surrogate in the cause", "ValueError", "text\n  cause: KeyError: '\\udce9'"),
        ("surrogate in the code", r"CAF\udce9", "text"),
        ("control characters", "ValueError", "\\x1b[2J\\x1b]0;title\\x07 \\x00 \\u202e"),
        ("text that raises", "Odd", "Odd, whose text is not available: RuntimeError"),
        ("text that leaves", "Odd", "Odd, whose text is not available: SystemExit"),
        ("code that raises", "Odd", "text"),
        ("code that leaves", "Odd", "text"),
        ("code that is no text", "Odd", "text"),
        ("code of several lines", "a b c", "text"),
        ("every attribute raises", "Odd", "text"),
        ("class that is another", "Odd", "text"),
        ("no constructor of the base", "Odd", "Odd"),
        ("own constructor with arguments", "Odd", "1"),
        ("exit code that is a list", "SystemExit", "the task called sys.exit: [1, '\\udce9']"),
        ("exit code that raises", "Odd", "the task called sys.exit: text"),
        ("a cycle of causes", "ValueError", "first\n  cause: KeyError: 'second'"),
    ],
)
def test_report_of_a_hostile_exception_has_its_content(name: str, code: str, message: str) -> None:
    error = user_error(HOSTILE[name]())
    assert (error.code, error.message) == (code, message)


@pytest.mark.parametrize(
    "name", ["notes that raise", "cause that is no exception", "every attribute raises", "context that raises"]
)
def test_traceback_of_a_hostile_exception_has_its_frames_and_real_causes(name: str) -> None:
    try:
        try:
            raise KeyError("real cause")
        except KeyError as cause:
            raise HOSTILE[name]() from cause
    except ValueError as raised:
        text = user_error(raised).traceback

    assert "KeyError: 'real cause'" in text
    assert "direct cause" in text
    assert text.count(f'File "{__file__}"') == 2


def test_error_that_another_version_wrote_is_bounded() -> None:
    error = TaskError.read({"kind": "USER", "code": "x" * MIB, "message": "\ud800" * MIB, "traceback": "\x1b" * MIB})
    assert max(len(error.code), len(error.message), len(error.traceback)) <= TRACEBACK_CHARACTERS


def test_storable_text_keeps_what_is_printable() -> None:
    assert storable("né\t1\r\n2\n😀") == "né\t1\n2\n😀"


PROGRAM = """
    from dataclasses import dataclass
    from typing import Any
    import asyncio, os
    from flytemp import task

    @dataclass(frozen=True)
    class Frozen(Exception):
        number: int

    @task
    def frozen() -> int:
        raise Frozen(3)

    @task
    async def frozen_coroutine() -> int:
        raise Frozen(3)

    @task
    def generator_exit() -> int:
        raise GeneratorExit("stop")

    @task
    def stop_iteration() -> int:
        return next(iter([]))

    @task
    async def cancelled() -> int:
        raise asyncio.CancelledError("stop")

    @task
    def file_name() -> int:
        raise FileNotFoundError(2, "No such file", os.fsdecode(b"caf\\xe9.csv"))

    @task
    def unsupported() -> int:
        from flytemp import CronSchedule
        CronSchedule(schedule="* * * * *")
        return 1

    @task
    def missing_module() -> int:
        import nothing_of_this_name
        return 1

    @task
    def leaves_quietly() -> None:
        class Zero:
            def __eq__(self, other):
                raise ValueError("compared")
        raise SystemExit(Zero())

    @task
    def surrogate_key() -> dict[str, Any]:
        return {"a": {"caf\\udce9": 1}}
"""


@pytest.fixture
def program(project: Project) -> Project:
    project.write(PROGRAM)
    return project


@pytest.mark.parametrize(
    ("task", "code", "retryable"),
    [
        ("frozen", "Frozen", True),
        ("frozen_coroutine", "Frozen", True),
        ("generator_exit", "GeneratorExit", True),
        ("stop_iteration", "StopIteration", True),
        ("cancelled", "CancelledError", True),
        ("file_name", "FileNotFoundError", True),
        ("unsupported", "NotSupported", False),
        ("missing_module", "ModuleNotFoundError", False),
        ("leaves_quietly", "SystemExit", True),
        ("surrogate_key", "TypeMismatch", False),
    ],
)
def test_unusual_failure_of_a_task_is_its_result(
    program: Project, options: ExecutionOptions, task: str, code: str, retryable: bool
) -> None:
    result = execute(program.invocation(task), program.store, owner="me", options=options)
    assert result is not None
    assert result.error is not None
    assert (result.error.kind, result.error.code, result.error.retryable) == ("USER", code, retryable)


def test_place_in_a_message_is_relative_to_the_project(program: Project, options: ExecutionOptions) -> None:
    result = execute(program.invocation("unsupported"), program.store, owner="me", options=options)
    assert result is not None
    assert result.error is not None
    line = PROGRAM.splitlines().index('        CronSchedule(schedule="* * * * *")') + 1
    assert result.error.message.startswith(f"{program.module}.py:{line}: CronSchedule is not supported")
    assert str(options.bundles) not in result.error.message + result.error.traceback


class Refusing(Exception):
    """Exception that accepts no attributes, as a frozen dataclass does."""

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(name)


@flytemp.task
def refusing(x: int) -> int:
    raise Refusing("text")


@flytemp.workflow
def mapped(xs: list[int]) -> list[int]:
    return flytemp.map_task(refusing)(x=xs)


@flytemp.dynamic
def refusing_graph(x: int) -> int:
    raise Refusing("text")


@pytest.mark.parametrize("call", [lambda: refusing(x=1), lambda: mapped(xs=[1, 2]), lambda: refusing_graph(x=1)])
def test_plain_call_raises_the_exception_of_the_task(call: Callable[[], object]) -> None:
    with pytest.raises(Refusing, match="text"):
        call()


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_exception_at_an_import_is_a_problem(name: str) -> None:
    (problem,) = problems_of(HOSTILE[name](), "importing module 'm'")
    assert problem.message
    assert problem.message.encode()


@pytest.mark.parametrize("name", sorted(HOSTILE.keys() - {"class that raises", "every attribute raises"}))
def test_hostile_exception_that_the_command_line_meets_is_reported(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    error = HOSTILE[name]()
    if isinstance(error, Exception):
        report(error, Session(color="never", verbose=True))
        shown = capsys.readouterr().err
        assert shown.startswith("error: ")
        assert all(char.isprintable() or char in "\n\t" for char in shown)
