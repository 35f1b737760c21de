"""Where flytekit has `Cache`."""

from flytemp.authoring.cache import Cache as Cache
