"""Where flytekit has `dynamic`."""

from flytemp.authoring.unsupported import dynamic as dynamic
