"""flytekit's module of gates."""

from typing import TYPE_CHECKING

from flytemp.authoring.gates import approve as approve
from flytemp.authoring.gates import sleep as sleep
from flytemp.authoring.gates import wait_for_input as wait_for_input
from flytemp.porting.finder import other_names

if not TYPE_CHECKING:
    __getattr__ = other_names(__name__)
