"""flytekit's module of gates."""

from flytemp.authoring.gates import approve as approve
from flytemp.authoring.gates import sleep as sleep
from flytemp.authoring.gates import wait_for_input as wait_for_input
