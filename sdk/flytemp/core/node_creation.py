"""Where flytekit has `create_node`."""

from flytemp.authoring.node_creation import create_node as create_node
