"""flytekit's module of `Options`."""

from typing import TYPE_CHECKING

from flytemp.authoring.execution_options import Options as Options
from flytemp.porting.finder import other_names

if not TYPE_CHECKING:
    __getattr__ = other_names(__name__)
