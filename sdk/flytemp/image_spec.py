"""Where flytekit has `ImageSpec`."""

from flytemp.authoring.image import ImageSpec as ImageSpec
