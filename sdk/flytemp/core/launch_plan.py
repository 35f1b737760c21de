"""flytekit's module of `LaunchPlan`."""

from typing import TYPE_CHECKING

from flytemp.authoring.launch_plan import LaunchPlan as LaunchPlan
from flytemp.authoring.reference import ReferenceLaunchPlan as ReferenceLaunchPlan
from flytemp.authoring.reference import reference_launch_plan as reference_launch_plan
from flytemp.porting.finder import other_names

if not TYPE_CHECKING:
    __getattr__ = other_names(__name__)
