"""What a failure handler learns."""

from flytemp.types.error.error import FlyteError as FlyteError
