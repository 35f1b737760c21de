"""Recording of programs: tasks, workflows and launch plans, and the promises between their calls."""
