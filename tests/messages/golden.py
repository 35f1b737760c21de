"""Golden files of the texts that users read: one file per area, made by real calls.

The other tests assert an error's class, `code` and fields. A change of wording then changes one file: the tests that call
`check_golden` write the files again under ``FLYTEMP_UPDATE_GOLDEN=1``, and the diff shows every changed text.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from flytemp.errors import FlytempError, ProgramError

_UPDATE = bool(os.environ.get("FLYTEMP_UPDATE_GOLDEN"))  # read at import, as fixtures remove flytemp's variables

Case = Callable[[], object]
"""A call that raises the error, returns the error, or returns the text that a command printed."""


def check_golden(area: str, cases: Mapping[str, Case], replaced: Mapping[str, str] | None = None) -> None:
    """Compare the texts of the cases with ``tests/messages/<area>.txt``.

    Args:
        area: name of the golden file.
        cases: one real call per message, by a name that says the mistake.
        replaced: texts that differ from run to run, such as a temporary directory, and their placeholders.
    """
    path = Path(__file__).with_name(f"{area}.txt")
    text = "\n".join(f"== {name}\n{_rendered(case)}" for name, case in cases.items())
    for varying, placeholder in (replaced or {}).items():
        text = text.replace(varying, placeholder)
    if _UPDATE:
        path.write_text(text, encoding="utf-8")
    assert text.splitlines() == path.read_text(encoding="utf-8").splitlines()


def _rendered(case: Case) -> str:
    try:
        outcome = case()
    except FlytempError as error:
        outcome = error
    if isinstance(outcome, str):
        return f"{outcome.rstrip()}\n"
    assert isinstance(outcome, FlytempError), f"expected an error, got {outcome!r}"
    lines = [f"{type(outcome).__name__} code={outcome.code} actor={outcome.actor}", f"message: {outcome.message}"]
    if isinstance(outcome, ProgramError):
        lines += [f"problem hint: {problem.hint}" for problem in outcome.problems]
    elif outcome.hint is not None:
        lines.append(f"hint: {outcome.hint}")
    return "\n".join(lines) + "\n"


def unlocated(call: Callable[[], object], kind: type[BaseException] = FlytempError) -> Case:
    """Return the case of an error in a program: its class, messages and hints, without files and lines.

    The error must also be one of ``kind``, such as the class of Python that flytekit raises.
    """

    def text() -> str:
        try:
            result = call()
        except FlytempError as error:
            if not isinstance(error, kind):
                raise
            problems = error.problems if isinstance(error, ProgramError) else [error]
            lines = [f"{type(error).__name__} code={error.code} actor={error.actor}"]
            for problem in problems:
                lines.append(f"message: {problem.message}")
                if problem.hint is not None:
                    lines.append(f"hint: {problem.hint}")
            return "\n".join(lines)
        raise AssertionError(f"expected an error, got {result!r}")

    return text
