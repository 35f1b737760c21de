"""flytekit's module of `Labels`, `Annotations` and `RawOutputDataConfig`."""

from flytemp.authoring.execution_options import Annotations as Annotations
from flytemp.authoring.execution_options import Labels as Labels
from flytemp.authoring.execution_options import RawOutputDataConfig as RawOutputDataConfig
