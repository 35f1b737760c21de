"""Types of values that tasks exchange beyond Python's own."""
