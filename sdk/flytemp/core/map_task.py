"""flytekit's module of `map_task`."""

from flytemp.authoring.mapping import map_task as map_task
