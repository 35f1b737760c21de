"""flytekit's module of `Cache`."""

from flytemp.authoring.cache import Cache as Cache
