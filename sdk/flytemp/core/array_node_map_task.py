"""flytekit's module of `map_task`."""

from flytemp.authoring.mapping import array_node_map_task as array_node_map_task
from flytemp.authoring.mapping import map_task as map_task
