"""Where flytekit has `Secret` and `SecurityContext`."""

from flytemp.authoring.resources import Secret as Secret
from flytemp.authoring.unsupported import SecurityContext as SecurityContext
