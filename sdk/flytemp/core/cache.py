"""flytekit's module of `Cache`."""

from typing import TYPE_CHECKING

from flytemp.authoring.cache import Cache as Cache
from flytemp.authoring.cache_policy import CachePolicy as CachePolicy
from flytemp.authoring.cache_policy import VersionParameters as VersionParameters
from flytemp.porting.finder import other_names

if not TYPE_CHECKING:
    __getattr__ = other_names(__name__)
