"""What runs inside a task's container or process: loads inputs and code, calls the function, commits the result."""
