"""The error that a failure handler receives."""

from flytemp.types.error.error import FlyteError as FlyteError
