"""flytekit's module of `create_node`."""

from flytemp.authoring.compilation import create_node as create_node
