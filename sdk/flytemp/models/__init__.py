"""flytekit's import paths of its models: each module exports names of flytemp."""

from typing import TYPE_CHECKING

from flytemp.porting.finder import other_names

if not TYPE_CHECKING:
    __getattr__ = other_names(__name__)
