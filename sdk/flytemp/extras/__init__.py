"""flytekit's package ``extras``."""

from typing import TYPE_CHECKING

from flytemp.porting.finder import other_names

if not TYPE_CHECKING:
    __getattr__ = other_names(__name__)
