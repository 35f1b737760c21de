"""Where in the user's code something was written."""

from __future__ import annotations

import inspect
import linecache
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import flytemp
from flytemp.errors import Location
from flytemp.spec.models import SourceLocation

_OURS = os.path.dirname(os.path.abspath(flytemp.__file__)) + os.sep
_FAR = 50  # lines between a first decorator and its ``def``, at most


@dataclass(frozen=True, slots=True)
class DefinitionSite:
    """A line of the user's code: ``location`` for a person, ``relative`` (to the import root) for the spec."""

    location: Location
    relative: str
    module: str

    def source(self) -> SourceLocation:
        return SourceLocation(file=self.relative, line=self.location.line)


def caller_site() -> DefinitionSite:
    """The innermost line on the stack that is not flytemp's own."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_OURS):
        frame = frame.f_back
    return _site(frame.f_code.co_filename, frame.f_lineno, str(frame.f_globals.get("__name__", "")))


def function_site(function: Callable[..., Any]) -> DefinitionSite:
    """The ``def`` line of a function, under its decorators; for anything else, the caller's line."""
    plain = inspect.unwrap(function)
    code = getattr(plain, "__code__", None)
    if code is None:
        return caller_site()
    return _site(code.co_filename, _def_line(code.co_filename, code.co_firstlineno), str(plain.__module__))


def _def_line(file: str, first: int) -> int:
    """Python counts a function from its first decorator; a person looks for ``def``."""
    for line in range(first, first + _FAR):
        if linecache.getline(file, line).lstrip().startswith(("def ", "async def ")):
            return line
    return first


def _site(file: str, line: int, module: str) -> DefinitionSite:
    absolute = os.path.abspath(file)
    return DefinitionSite(Location(absolute, line), _relative(absolute, module), module)


def _relative(file: str, module: str) -> str:
    """``a/b.py`` for module ``a.b``: what stays the same wherever the project lies."""
    path = Path(file)
    parts = module.split(".")
    parts = [*parts, "__init__.py"] if path.name == "__init__.py" else [*parts[:-1], f"{parts[-1]}.py"]
    return "/".join(parts) if list(path.parts[-len(parts) :]) == parts else path.name
