"""Register, launch and follow executions from any Python program."""
