"""Launch plans: the default one, with default inputs, with fixed inputs."""
from flytemp import LaunchPlan, current_context

from .workflow import simple_wf

default_lp = LaunchPlan.get_default_launch_plan(current_context(), simple_wf)
FROM_DEFAULT = default_lp(x=[1, 2, 3])

simple_wf_lp = LaunchPlan.create(name="simple_wf_lp", workflow=simple_wf, default_inputs={"x": [4, 5]})
FROM_LP = simple_wf_lp()
FROM_LP_OVERRIDDEN = simple_wf_lp(x=[1], factor=10)

fixed_lp = LaunchPlan.get_or_create(name="simple_wf_fixed", workflow=simple_wf, fixed_inputs={"factor": 3})

LaunchPlan.get_or_create(
    simple_wf,
    "simple_wf_nightly",
    default_inputs={"x": [7]},
    fixed_inputs={"factor": 1},
    max_parallelism=4,
)
