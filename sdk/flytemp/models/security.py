"""Where flytekit has `Identity`, `Secret` and `SecurityContext`."""

from flytemp.authoring.resources import Secret as Secret
from flytemp.authoring.security import Identity as Identity
from flytemp.authoring.security import SecurityContext as SecurityContext
