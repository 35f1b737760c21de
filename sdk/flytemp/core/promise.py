"""flytekit's module of `Promise`."""

from flytemp.authoring.expressions import ComparisonExpression, ConjunctionExpression
from flytemp.authoring.promise import Promise as Promise
from flytemp.authoring.promise import VoidOutput

VoidPromise = VoidOutput

__all__ = ["ComparisonExpression", "ConjunctionExpression", "Promise", "VoidPromise"]
