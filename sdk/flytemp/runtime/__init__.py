"""Runtime inside a task's container or process: it loads inputs and code, runs the task, and commits the result."""
