"""flytekit's module of `Resources`."""

from flytemp.authoring.resources import Resources as Resources
