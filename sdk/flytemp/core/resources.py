"""Where flytekit has `Resources`."""

from flytemp.authoring.resources import Resources as Resources
