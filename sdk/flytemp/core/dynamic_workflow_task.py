"""flytekit's module of `dynamic`."""

from flytemp.authoring.dynamic import dynamic as dynamic
