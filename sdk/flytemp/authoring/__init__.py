"""What a user writes: tasks, workflows, launch plans, and the promises between them."""
