"""flytekit's module of `LaunchPlan`."""

from flytemp.authoring.launch_plan import LaunchPlan as LaunchPlan
from flytemp.authoring.reference import reference_launch_plan as reference_launch_plan
