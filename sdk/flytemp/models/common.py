"""flytekit's module of `Labels`, `Annotations` and `RawOutputDataConfig`."""

from typing import TYPE_CHECKING

from flytemp.authoring.execution_options import Annotations as Annotations
from flytemp.authoring.execution_options import Labels as Labels
from flytemp.authoring.execution_options import RawOutputDataConfig as RawOutputDataConfig
from flytemp.porting.finder import other_names

if not TYPE_CHECKING:
    __getattr__ = other_names(__name__)
