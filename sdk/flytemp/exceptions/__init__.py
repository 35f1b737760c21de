"""Errors that a task may raise, under flytekit's names: `flytemp.exceptions.user`, `flytemp.exceptions.system`."""

from typing import TYPE_CHECKING

from flytemp.porting.finder import other_names

if not TYPE_CHECKING:
    __getattr__ = other_names(__name__)
