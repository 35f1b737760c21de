"""Where flytekit has `conditional`."""

from flytemp.authoring.unsupported import conditional as conditional
