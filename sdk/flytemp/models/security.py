"""flytekit's module of `Identity`, `Secret` and `SecurityContext`."""

from typing import TYPE_CHECKING

from flytemp.authoring.execution_options import Identity as Identity
from flytemp.authoring.execution_options import SecurityContext as SecurityContext
from flytemp.authoring.resources import Secret as Secret
from flytemp.porting.finder import other_names

if not TYPE_CHECKING:
    __getattr__ = other_names(__name__)
