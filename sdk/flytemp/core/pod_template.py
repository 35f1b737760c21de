"""Where flytekit has `PodTemplate`."""

from flytemp.authoring.pod import PodTemplate as PodTemplate
