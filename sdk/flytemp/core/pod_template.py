"""flytekit's module of `PodTemplate`."""

from flytemp.authoring.pod import PodTemplate as PodTemplate
