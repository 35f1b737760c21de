"""Table of outcomes, against the code that makes errors."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from flytemp.outcomes import OUTCOMES, RESERVED_CODES
from flytemp.runtime.invocation import TaskError
from flytemp.runtime.user_errors import user_error

CONSTRUCTORS = {"TaskError.of": "", "user_error": "USER", "system_error": "SYSTEM"}
"""Functions that make an error from a code, with its kind; an empty kind is that of the table."""

ROOT = Path(__file__).resolve().parents[2]


def made_by_code() -> Iterator[tuple[str, str, str]]:
    """Yield place, kind and code of each error that the code makes; the kind is empty for `TaskError.of`."""
    for package in ("sdk", "worker", "activities"):
        for file in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                place = f"{file.name}:{getattr(node, 'lineno', 0)}"
                if isinstance(node, ast.Dict):
                    fields = {
                        key.value: value.value
                        for key, value in zip(node.keys, node.values, strict=True)
                        if isinstance(key, ast.Constant) and isinstance(value, ast.Constant)
                    }
                    if {"kind", "code"} <= fields.keys():
                        yield place, fields["kind"], fields["code"]
                elif isinstance(node, ast.Call) and (kind := CONSTRUCTORS.get(ast.unparse(node.func))) is not None:
                    code = node.args[0] if node.args else None
                    if isinstance(code, ast.Constant):
                        yield place, kind, str(code.value)


def test_every_code_is_in_the_table_with_its_kind() -> None:
    found = list(made_by_code())
    unknown = [(place, code) for place, _, code in found if code not in OUTCOMES]
    assert len(found) > 20
    assert unknown == []
    assert [place for place, kind, code in found if kind not in ("", OUTCOMES[code].payer)] == []


@pytest.mark.parametrize("code", sorted(RESERVED_CODES))
def test_exception_with_the_name_of_an_outcome_is_qualified(code: str) -> None:
    error = user_error(type(code, (Exception,), {"__module__": "library"})("failed"))

    assert (error.kind, error.code) == ("USER", f"library.{code}")


def test_memory_error_is_out_of_memory() -> None:
    error = user_error(MemoryError())

    assert (error.kind, error.code, error.retryable) == ("USER", "OutOfMemory", True)


def test_error_of_an_outcome_takes_its_fields_from_the_table() -> None:
    for code, outcome in OUTCOMES.items():
        error = TaskError.of(code, "text")

        assert (error.kind, error.code, error.retryable, error.message) == (outcome.payer, code, outcome.retryable, "text")
