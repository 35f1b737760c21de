"""flytekit's module of `ContainerTask`."""

from flytemp.authoring.container import ContainerTask as ContainerTask
