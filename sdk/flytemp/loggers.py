"""Loggers, under flytekit's names. Python's logging configuration decides on handlers and levels, unless a program sets them."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from flytemp.porting.finder import other_names

LOGGING_ENV_VAR = "FLYTE_SDK_LOGGING_LEVEL"
LOGGING_DEV_ENV_VAR = "FLYTE_SDK_DEV_LOGGING_LEVEL"
LOGGING_FMT_ENV_VAR = "FLYTE_SDK_LOGGING_FORMAT"
LOGGING_RICH_FMT_ENV_VAR = "FLYTE_SDK_RICH_TRACEBACKS"

logger = logging.getLogger("flytemp")
user_space_logger = logging.getLogger("flytemp.user")
"""Logger of tasks: `current_context().logging`."""

developer_logger = logging.getLogger("flytemp.developer")


def set_flytekit_log_properties(
    handler: logging.Handler | None = None,
    filter: logging.Filter | None = None,  # noqa: A002 - flytekit's name
    level: int | None = None,
) -> None:
    """Set the handler of `logger` in place of its handlers, add a filter, and set the level; None changes nothing."""
    if handler is not None:
        logger.handlers.clear()
    _set(logger, handler, filter, level)


def set_user_logger_properties(
    handler: logging.Handler | None = None,
    filter: logging.Filter | None = None,  # noqa: A002 - flytekit's name
    level: int | None = None,
) -> None:
    """Add a handler and a filter to `user_space_logger`, and set its level; None changes nothing."""
    _set(user_space_logger, handler, filter, level)


def set_developer_properties(
    handler: logging.Handler | None = None,
    filter: logging.Filter | None = None,  # noqa: A002 - flytekit's name
    level: int | None = None,
) -> None:
    """Add a handler and a filter to `developer_logger`, and set its level; None changes nothing."""
    _set(developer_logger, handler, filter, level)


def _set(changed: logging.Logger, handler: logging.Handler | None, added: logging.Filter | None, level: int | None) -> None:
    if handler is not None:
        changed.addHandler(handler)
    if added is not None:
        changed.addFilter(added)
    if level is not None:
        changed.setLevel(level)


def initialize_global_loggers() -> None:
    """Return without a change: Python's logging configuration applies."""


def is_rich_logging_enabled() -> bool:
    """Return False: flytemp does not format tracebacks of user code."""
    return False


def is_display_progress_enabled() -> bool:
    """Return whether the environment variable ``FLYTE_SDK_RICH_TRACEBACKS`` is set."""
    return bool(os.environ.get(LOGGING_RICH_FMT_ENV_VAR))


def get_level_from_cli_verbosity(verbosity: int) -> int:
    """Return the level for a number of ``-v`` options."""
    return {0: logging.CRITICAL, 1: logging.WARNING, 2: logging.INFO}.get(verbosity, logging.DEBUG)

if not TYPE_CHECKING:
    __getattr__ = other_names(__name__)
