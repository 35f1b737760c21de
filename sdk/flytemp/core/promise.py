"""Where flytekit has `Promise`."""

from flytemp.authoring.promise import Promise as Promise
from flytemp.authoring.promise import VoidOutput

VoidPromise = VoidOutput

__all__ = ["Promise", "VoidPromise"]
