"""Where flytekit has `ContainerTask`."""

from flytemp.authoring.container import ContainerTask as ContainerTask
