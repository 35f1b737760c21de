"""flytekit's module of `Identity`, `Secret` and `SecurityContext`."""

from flytemp.authoring.execution_options import Identity as Identity
from flytemp.authoring.execution_options import SecurityContext as SecurityContext
from flytemp.authoring.resources import Secret as Secret
