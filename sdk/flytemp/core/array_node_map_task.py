"""flytekit's module of `map_task`."""

from typing import TYPE_CHECKING

from flytemp.authoring.mapping import array_node_map_task as array_node_map_task
from flytemp.authoring.mapping import map_task as map_task
from flytemp.porting.finder import other_names

if not TYPE_CHECKING:
    __getattr__ = other_names(__name__)
