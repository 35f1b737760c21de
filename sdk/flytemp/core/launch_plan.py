"""Where flytekit has `LaunchPlan`."""

from flytemp.authoring.launch_plan import LaunchPlan as LaunchPlan
