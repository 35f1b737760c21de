"""Where flytekit has its gates."""

from flytemp.authoring.unsupported import approve as approve
from flytemp.authoring.unsupported import sleep as sleep
from flytemp.authoring.unsupported import wait_for_input as wait_for_input
