"""flytekit's module of `conditional`."""

from flytemp.authoring.conditional import Condition as Condition
from flytemp.authoring.conditional import conditional as conditional
