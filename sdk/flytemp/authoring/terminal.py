"""Questions of gates at the terminal, in the words of flytekit."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TypeVar

from flytemp.errors import InputError
from flytemp.literals.text import parse_text
from flytemp.literals.types import Json, LiteralType, SimpleType

Answer = TypeVar("Answer")
_NO_TERMINAL = "run it in a terminal, or launch it and answer with flytemp approve or flytemp set-input"
_BOOLEAN = SimpleType(kind="boolean")


def ask_value(name: str, type_name: str, type_: LiteralType) -> Json:
    """Ask for the value of a gate until an answer has the type, and return its literal.

    Args:
        name: the name of the gate.
        type_name: the type in the question.
        type_: the type of the value.

    Raises:
        InputError: standard input ended without a valid answer.
    """
    return _ask(f"[Input Gate] Waiting for input @{name} of type {type_name}: ", lambda answer: parse_text(answer, type_))


def ask_approval(name: str, value: object) -> bool:
    """Ask for the approval of a value until the answer is yes or no. An empty answer is no.

    Args:
        name: the name of the gate.
        value: the value in the question.

    Raises:
        InputError: standard input ended without a valid answer.
    """
    question = f"[Approval Gate] @{name} Approve {value}? [y/N]: "
    return _ask(question, lambda answer: parse_text(answer.strip() or "no", _BOOLEAN) is True)


def _ask(question: str, read: Callable[[str], Answer]) -> Answer:
    refused: InputError | None = None
    while True:
        print(question, end="", flush=True)
        line = sys.stdin.readline()
        if not line:
            raise refused or InputError(f"no answer to: {question.strip()}", hint=_NO_TERMINAL)
        try:
            return read(line.rstrip("\n"))
        except InputError as error:
            refused = error
            print(f"Error: {error.message}", flush=True)
