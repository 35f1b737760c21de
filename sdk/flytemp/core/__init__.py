"""flytekit's import paths: each module exports names of flytemp under the name of flytekit's module."""

from typing import TYPE_CHECKING

from flytemp.porting.finder import other_names

if not TYPE_CHECKING:
    __getattr__ = other_names(__name__)
