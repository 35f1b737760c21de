"""flytekit's module of `Promise`."""

from typing import TYPE_CHECKING

from flytemp.authoring.expressions import ComparisonExpression, ConjunctionExpression
from flytemp.authoring.promise import Promise as Promise
from flytemp.authoring.promise import VoidOutput
from flytemp.porting.finder import other_names

VoidPromise = VoidOutput

__all__ = ["ComparisonExpression", "ConjunctionExpression", "Promise", "VoidPromise"]

if not TYPE_CHECKING:
    __getattr__ = other_names(__name__)
