"""Documentation of tasks, workflows and launch plans, from an argument or a docstring."""

from __future__ import annotations

from dataclasses import dataclass

from flytemp.authoring.docstrings import Docstring
from flytemp.authoring.errors import SettingsError
from flytemp.spec.models import Docs


@dataclass(frozen=True)
class Description:
    """Long description, as text or as a URI."""

    value: str | None = None
    uri: str | None = None
    icon_link: str | None = None


@dataclass(frozen=True)
class SourceCode:
    """Link to the source code. It is accepted for flytekit's sake; the spec has file and line instead."""

    link: str | None = None


@dataclass(frozen=True)
class Documentation:
    """Documentation that takes precedence over the docstring."""

    short_description: str | None = None
    long_description: Description | str | None = None
    source_code: SourceCode | None = None


def docs_spec(docs: object, docstring: Docstring) -> Docs:
    """Return the given documentation, completed from the docstring.

    Raises:
        SettingsError: ``docs`` is not a `Documentation`.
    """
    if docs is None:
        return Docs(short=docstring.short, long=docstring.long)
    if not isinstance(docs, Documentation):
        raise SettingsError(f"docs must be a Documentation, not {docs!r}", hint="Documentation(short_description='…')")
    given = docs.long_description
    long = (given.value or given.uri or "") if isinstance(given, Description) else (given or "")
    return Docs(short=docs.short_description or docstring.short, long=long or docstring.long)
