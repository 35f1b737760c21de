"""Lines of the user's code at which entities and nodes are defined."""

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

_OWN_FOLDER = os.path.dirname(os.path.abspath(flytemp.__file__)) + os.sep
_MOST_DECORATOR_LINES = 50
"""Maximum number of lines from the first decorator of a function to its ``def``."""


@dataclass(frozen=True, slots=True)
class DefinitionSite:
    """A line of the user's code.

    Attributes:
        location: the absolute path and the line, for messages.
        relative: the path relative to the import root, for specs.
        module: the name of the module.
    """

    location: Location
    relative: str
    module: str

    def source(self) -> SourceLocation:
        """Return the location for a spec."""
        return SourceLocation(file=self.relative, line=self.location.line)


def caller_site() -> DefinitionSite:
    """Return the innermost line on the stack outside of flytemp."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_OWN_FOLDER):
        frame = frame.f_back
    return _site(frame.f_code.co_filename, frame.f_lineno, str(frame.f_globals.get("__name__", "")))


def function_site(function: Callable[..., Any]) -> DefinitionSite:
    """Return the ``def`` line of a function, below its decorators; for other callables, the caller's line."""
    plain = inspect.unwrap(function)
    code = getattr(plain, "__code__", None)
    if code is None:
        return caller_site()
    return _site(code.co_filename, _def_line(code.co_filename, code.co_firstlineno), str(plain.__module__))


def _def_line(file: str, first: int) -> int:
    """Return the line of ``def``. Python's first line of a function is that of its first decorator."""
    for line in range(first, first + _MOST_DECORATOR_LINES):
        if linecache.getline(file, line).lstrip().startswith(("def ", "async def ")):
            return line
    return first


def _site(file: str, line: int, module: str) -> DefinitionSite:
    absolute = os.path.abspath(file)
    return DefinitionSite(Location(absolute, line), _relative(absolute, module), module)


def _relative(file: str, module: str) -> str:
    """Return ``a/b.py`` for module ``a.b``, which does not depend on the location of the project."""
    path = Path(file)
    parts = module.split(".")
    parts = [*parts, "__init__.py"] if path.name == "__init__.py" else [*parts[:-1], f"{parts[-1]}.py"]
    return "/".join(parts) if list(path.parts[-len(parts) :]) == parts else path.name
