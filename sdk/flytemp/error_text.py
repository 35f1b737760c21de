"""Texts of errors and exceptions that can be stored, sent and printed, for every content of the exception.

The class of a user's exception may define any of its attributes as a property, and that code may raise or return a value of
another type. The functions of this module read the attributes of `BaseException` itself where these exist, accept every result
of user code, and never raise.
"""

from __future__ import annotations

import contextlib
import re
import traceback
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

MESSAGE_CHARACTERS = 10_000
TRACEBACK_CHARACTERS = 20_000
CODE_CHARACTERS = 200

_LINKS = 200
"""Number of chained and grouped exceptions up to which `traceback_text` uses Python's own format."""
_PLAIN_LINKS = 10
_CAUSES = 3
_MEMBERS = 5
_CAUSE_CHARACTERS = 1_000

# Control characters except tab and newline, and the characters that change the direction of text.
_NOT_PRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_CAUSE_LINE = "\nThe above exception was the direct cause of the following exception:\n\n"
_CONTEXT_LINE = "\nDuring handling of the above exception, another exception occurred:\n\n"

FrameFilter = Callable[[traceback.StackSummary], traceback.StackSummary]


def storable(text: str, limit: int = MESSAGE_CHARACTERS) -> str:
    """Return ``text`` with at most ``limit`` characters, without lone surrogates and control characters.

    A text that is too long loses its middle. The other characters are replaced by escapes such as ``\\udce9`` and ``\\x1b``.
    """
    short = shortened(str.__str__(text), limit).replace("\r\n", "\n")
    encodable = short.encode("utf-8", "backslashreplace").decode()
    return shortened(_NOT_PRINTABLE.sub(_escape, encodable), limit)


def shortened(text: str, limit: int) -> str:
    """Return ``text`` with at most ``limit`` characters, without its middle if it is longer."""
    if len(text) <= limit:
        return text
    half = (limit - len(_omission(len(text)))) // 2
    return f"{text[:half]}{_omission(len(text) - 2 * half)}{text[-half:]}"


def _omission(count: int) -> str:
    return f"\n… {count:,} characters left out …\n"


def code_text(text: str) -> str:
    """Return a code on one line, with at most `CODE_CHARACTERS` characters that can be stored."""
    return storable(" ".join(text[:CODE_CHARACTERS].split()), 10 * CODE_CHARACTERS)[:CODE_CHARACTERS]


def class_name(value: object) -> str:
    """Return the name of the class of an exception or another value."""
    return name_of(type(value))


def name_of(cls: type) -> str:
    """Return the name of a class, also if its metaclass has a property of that name."""
    name: str = vars(type)["__name__"].__get__(cls)
    return name


def module_of(cls: type) -> str:
    """Return the name of the module of a class; empty if the class has another value in its place."""
    module: object = type.__getattribute__(cls, "__module__")
    return str.__str__(module) if issubclass(type(module), str) else ""


def own_attribute(error: BaseException, name: str) -> object:
    """Return an attribute that the user's class may define; None if it is missing or its code raises an exception."""
    try:
        return getattr(error, name, None)
    except BaseException:  # noqa: BLE001 - a property of a user's class may raise any exception
        return None


def exception_text(error: BaseException) -> str:
    """Return the text of an exception; the name of its class if it has no text."""
    return object_text(error) or class_name(error)


def object_text(value: object) -> str:
    """Return the text of a value of any class."""
    try:
        return str.__str__(str(value))
    except BaseException as failure:  # noqa: BLE001 - the __str__ of a user's class may raise any exception
        return f"{class_name(value)}, whose text is not available: {class_name(failure)}"


def exit_code(error: SystemExit) -> object:
    """Return the code of `sys.exit`, also if the class of the exception hides it."""
    return vars(SystemExit)["code"].__get__(error)


def titled(error: BaseException, limit: int = _CAUSE_CHARACTERS) -> str:
    """Return ``Class: text``; only the name of the class if there is no text."""
    name, text = class_name(error), exception_text(error)
    return shortened(text if text.startswith(name) else f"{name}: {text}", limit)


def cause_lines(error: BaseException) -> list[str]:
    """Return one line for each exception that ``error`` was raised from, and for the first members of a group."""
    members = _members(error)
    lines = [f"contains: {titled(member)}" for member in members[:_MEMBERS]]
    if len(members) > _MEMBERS:
        lines.append(f"contains: {len(members) - _MEMBERS} more")
    seen, cause = {id(error)}, cause_of(error)
    while cause is not None and id(cause) not in seen and len(seen) <= _CAUSES:
        seen.add(id(cause))
        lines.append(f"cause: {titled(cause)}")
        cause = cause_of(cause)
    return lines


def traceback_text(error: BaseException, keep: FrameFilter) -> str:
    """Return the traceback of an exception and of the exceptions it is chained to, in the format of Python.

    Args:
        error: the exception.
        keep: function that returns the frames to show.
    """
    try:
        if _is_short(error):
            captured = traceback.TracebackException.from_exception(error, compact=True)
            for each in _captured(captured):
                each.stack = keep(each.stack)
            return "".join(captured.format())
    except BaseException:  # noqa: BLE001, S110 - Python's format calls code of the user's class
        pass
    return _plain_traceback(error, keep)


def innermost_file(error: BaseException) -> str:
    """Return the path of the source file that raised the exception; empty if there are no frames."""
    trace, file = trace_of(error), ""
    while trace is not None:
        file, trace = trace.tb_frame.f_code.co_filename, trace.tb_next
    return file


def add_note(error: BaseException, note: str) -> None:
    """Add a note to an exception of the user, unless its class refuses new attributes, as a frozen dataclass does."""
    with contextlib.suppress(Exception):
        error.add_note(note)


def _escape(match: re.Match[str]) -> str:
    number = ord(match[0])
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"


def _base(error: BaseException, name: str) -> Any:
    """Return an attribute of `BaseException` that a property of the user's class may hide."""
    return vars(BaseException)[name].__get__(error)


def trace_of(error: BaseException) -> TracebackType | None:
    """Return the traceback of an exception."""
    found: TracebackType | None = _base(error, "__traceback__")
    return found


def cause_of(error: BaseException) -> BaseException | None:
    """Return the exception that ``error`` was raised from."""
    found: BaseException | None = _base(error, "__cause__")
    return found


def _context(error: BaseException) -> BaseException | None:
    found: BaseException | None = None if _base(error, "__suppress_context__") else _base(error, "__context__")
    return found


def _members(error: BaseException) -> tuple[BaseException, ...]:
    if not issubclass(type(error), BaseExceptionGroup):
        return ()
    members: tuple[BaseException, ...] = vars(BaseExceptionGroup)["exceptions"].__get__(error)
    return members


def _is_short(error: BaseException) -> bool:
    seen: set[int] = set()
    remaining: list[BaseException | None] = [error]
    while remaining and len(seen) <= _LINKS:
        one = remaining.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            remaining += (cause_of(one), _base(one, "__context__"), *_members(one)[: _LINKS + 1])
    return len(seen) <= _LINKS


def _captured(first: traceback.TracebackException) -> Iterator[traceback.TracebackException]:
    seen: set[int] = set()
    remaining: list[traceback.TracebackException | None] = [first]
    while remaining:
        one = remaining.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            remaining += (one.__cause__, one.__context__, *(one.exceptions or ()))
            yield one


def _plain_traceback(error: BaseException, keep: FrameFilter) -> str:
    """Return the traceback without any code of the user's classes except ``__str__``."""
    seen: set[int] = set()
    parts: list[str] = []
    one: BaseException | None = error
    while one is not None and id(one) not in seen and len(seen) < _PLAIN_LINKS:
        seen.add(id(one))
        parts.append(_plain_part(one, keep))
        cause, context = cause_of(one), _context(one)
        if cause is not None or context is not None:
            parts.append(_CAUSE_LINE if cause is not None else _CONTEXT_LINE)
        one = cause if cause is not None else context
    if len(parts) % 2 == 0:
        parts.pop()  # the relation to an exception that is not shown
    return "".join(reversed(parts))


def _plain_part(error: BaseException, keep: FrameFilter) -> str:
    last = f"{shortened(titled(error), MESSAGE_CHARACTERS)}\n"
    last += "".join(f"  contains: {titled(member)}\n" for member in _members(error)[:_MEMBERS])
    try:
        frames = keep(traceback.extract_tb(trace_of(error)))
    except Exception:  # noqa: BLE001 - the loader of a user's module, which returns the source lines, may raise any exception
        return last
    return "".join(["Traceback (most recent call last):\n", *frames.format(), last]) if frames else last
