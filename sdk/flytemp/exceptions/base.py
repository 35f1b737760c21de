"""Base of the errors under flytekit's names."""

from __future__ import annotations

from flytemp.errors import FlytempError, Location


class FlyteException(FlytempError):
    """Base of the errors under flytekit's names. It takes any arguments, like a plain ``Exception``."""

    code = "flyte-error"

    def __init__(self, *args: object, hint: str | None = None, location: Location | None = None) -> None:
        super().__init__(" ".join(str(arg) for arg in args), hint=hint, location=location)
        self.args = args
