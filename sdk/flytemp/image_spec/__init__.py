"""flytekit's module of `ImageSpec`."""

from flytemp.authoring.image import ImageSpec as ImageSpec
