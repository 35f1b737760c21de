"""Where flytekit has `Labels`, `Annotations` and `RawOutputDataConfig`."""

from flytemp.authoring.options import Annotations as Annotations
from flytemp.authoring.options import Labels as Labels
from flytemp.authoring.options import RawOutputDataConfig as RawOutputDataConfig
