"""Where flytekit has `create_node`."""

from flytemp.authoring.compilation import create_node as create_node
