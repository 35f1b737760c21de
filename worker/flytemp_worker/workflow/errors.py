"""Errors of flytemp that are somebody's answer, as Temporal carries them out of workflow code."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from temporalio.exceptions import ApplicationError

from flytemp.errors import FlytempError

P = ParamSpec("P")
R = TypeVar("R")


def as_application_error(check: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """What ``check`` returns.

    Raises:
        ApplicationError: not retryable, of the type that the error's code is; its detail is the hint.
    """
    try:
        return check(*args, **kwargs)
    except FlytempError as error:
        hint = [error.hint] if error.hint else []
        raise ApplicationError(error.message, *hint, type=error.code, non_retryable=True) from error
