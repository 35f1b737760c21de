"""Where flytekit has `dynamic`."""

from flytemp.authoring.dynamic import dynamic as dynamic
